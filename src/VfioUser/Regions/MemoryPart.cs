namespace VfioUser;

/// <summary>Shared memory, for accesses that arrive by message.</summary>
internal sealed class MemoryPart(RegionMemory memory, MemoryArea area) : RegionPart(area.Offset, area.Length)
{
    /// <summary>Called after a write by message.</summary>
    public Action? Written { get; set; }

    public override void Read(long offset, Span<byte> destination) =>
        memory.Span(Start + offset, destination.Length).CopyTo(destination);

    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        source.CopyTo(memory.Span(Start + offset, source.Length));
        Changed(Start + offset, source.Length);
    }

    /// <summary>Bytes were written by message.</summary>
    /// <param name="offset">Of the first byte, relative to the region.</param>
    /// <param name="length">In bytes.</param>
    public void Changed(long offset, int length)
    {
        Written?.Invoke();
        memory.Written?.Invoke(offset, length);
    }
}
