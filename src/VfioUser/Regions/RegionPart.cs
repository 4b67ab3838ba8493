namespace VfioUser;

/// <summary>A register, shared memory or table within a region. Offsets are relative to its start.</summary>
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

    /// <summary>The device resets it by itself, or the guest resets the function.</summary>
    public virtual void ResetWith(bool keepSticky) => Reset();

    /// <summary>Bytes of its state in a Parts record; 0 if it has none, or is migrated elsewhere.</summary>
    public virtual int StateSize => 0;

    public virtual void SaveState(Span<byte> destination)
    {
    }

    public virtual void RestoreState(ReadOnlySpan<byte> source)
    {
    }
}
