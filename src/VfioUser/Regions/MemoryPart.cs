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
        Written?.Invoke();
        memory.Written?.Invoke(Start + offset, source.Length);
    }
}
