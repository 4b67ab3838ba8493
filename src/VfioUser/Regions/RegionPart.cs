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

    /// <summary>Resets it.</summary>
    /// <param name="keepSticky">Whether sticky bits keep their value: in a function-level reset, and in one that the device does itself.</param>
    public virtual void ResetWith(bool keepSticky) => Reset();

    /// <summary>Its name in a migration stream, unique in its region.</summary>
    public virtual string StateName => string.Create(CultureInfo.InvariantCulture, $"0x{Start:x}");

    /// <summary>The first version of the device that has it.</summary>
    public virtual int Since => 1;

    /// <summary>Whether other versions may be without it.</summary>
    public virtual bool IsOptional => false;

    /// <summary>Bytes of its state in a migration stream; 0 if it has none, or the state is saved elsewhere.</summary>
    public virtual int StateSize => 0;

    public virtual void SaveState(Span<byte> destination)
    {
    }

    public virtual void RestoreState(ReadOnlySpan<byte> source)
    {
    }
}
