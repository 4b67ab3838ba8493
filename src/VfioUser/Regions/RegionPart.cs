namespace VfioUser;

/// <summary>A stretch of a region with a meaning of its own. Offsets are relative to its start.</summary>
internal abstract class RegionPart(ulong start, ulong length)
{
    public ulong Start { get; } = start;

    public ulong Length { get; } = length;

    public ulong End => Start + Length;

    public abstract void Read(ulong offset, Span<byte> destination);

    public abstract void Write(ulong offset, ReadOnlySpan<byte> source);

    public virtual void Reset()
    {
    }
}
