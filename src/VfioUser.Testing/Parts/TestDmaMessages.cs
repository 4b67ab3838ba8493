using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>Answers accesses by DMA_READ and DMA_WRITE within the process. The device accesses only what is mapped.</summary>
internal sealed class TestDmaMessages(SharedMemory memory, Iova start) : IDmaMessages
{
    public DmaResult Read(ulong address, Span<byte> destination)
    {
        memory.Slice(address - start.Value, destination.Length).CopyTo(destination);
        return DmaResult.Done;
    }

    public DmaResult Write(ulong address, ReadOnlySpan<byte> source)
    {
        source.CopyTo(memory.Slice(address - start.Value, source.Length));
        return DmaResult.Done;
    }

    public void BeforeWaiting()
    {
    }
}
