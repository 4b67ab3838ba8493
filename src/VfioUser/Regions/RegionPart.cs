using System.Globalization;

namespace VfioUser;

/// <summary>A register, shared memory or table within a region. Offsets are relative to its start.</summary>
internal abstract class RegionPart(long start, long length) : ISavedPart
{
    public long Start { get; } = start;

    public long Length { get; } = length;

    public long End => Start + Length;

    public abstract void Read(long offset, Span<byte> destination);

    public abstract void Write(long offset, ReadOnlySpan<byte> source);

    public virtual void Reset()
    {
    }

    /// <summary>The device resets it by itself, or the guest resets the function.</summary>
    public virtual void ResetWith(bool keepSticky) => Reset();

    /// <summary>What a migration knows it by, within its region.</summary>
    public virtual string StateName => string.Create(CultureInfo.InvariantCulture, $"0x{Start:x}");

    /// <summary>The first version of the device that has it.</summary>
    public virtual int Since => 1;

    /// <summary>Whether other versions may be without it.</summary>
    public virtual bool IsOptional => false;

    /// <summary>Bytes that a migration carries of it; 0 for what is not here or follows from something else.</summary>
    public virtual int StateSize => 0;

    public virtual void SaveState(Span<byte> destination)
    {
    }

    public virtual void RestoreState(ReadOnlySpan<byte> source)
    {
    }
}
