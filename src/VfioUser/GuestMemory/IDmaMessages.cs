namespace VfioUser;

/// <summary>Reads and writes guest memory by DMA_READ and DMA_WRITE messages. Any thread.</summary>
internal interface IDmaMessages
{
    DmaResult Read(ulong address, Span<byte> destination);

    DmaResult Write(ulong address, ReadOnlySpan<byte> source);

    /// <summary>The Command thread is about to wait for the device: sends replies that the client waits for.</summary>
    void BeforeWaiting();
}
