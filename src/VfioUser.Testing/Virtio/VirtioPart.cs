namespace VfioUser.Testing;

/// <summary>A part of a buffer that a driver gives to a virtio device. Immutable.</summary>
public readonly record struct VirtioPart
{
    /// <summary>Describes a part. Nothing is checked: a hostile driver may name any memory.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes, 0 to 2^32 - 1.</param>
    /// <param name="writable">Whether the device writes it; else it reads it.</param>
    /// <exception cref="ArgumentOutOfRangeException">A descriptor has no room for such a length.</exception>
    public VirtioPart(Iova address, long length, bool writable)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, uint.MaxValue);
        (Address, Length, Writable) = (address, length, writable);
    }

    /// <summary>First byte.</summary>
    public Iova Address { get; }

    /// <summary>In bytes.</summary>
    public long Length { get; }

    /// <summary>Whether the device writes it.</summary>
    public bool Writable { get; }
}
