namespace VfioUser.Network;

/// <summary>A ring of descriptors in guest memory whose place and state are in registers: the device takes descriptors from the head on, up to
/// the tail, which the driver moves.</summary>
/// <remarks>As Intel's cards have it. The registers are the device's, with masks and handlers of its own, and may say anything. Used by one
/// thread at a time.</remarks>
public sealed class DescriptorRing
{
    private readonly Register<ulong> _address;
    private readonly Register<uint> _length, _head, _tail;
    private readonly uint _descriptorSize;

    /// <summary>Makes one of its registers.</summary>
    /// <param name="descriptorSize">Of each descriptor, in bytes.</param>
    /// <param name="address">Of the first descriptor.</param>
    /// <param name="length">Of the ring, in bytes.</param>
    /// <param name="head">Index of the first descriptor that is the device's.</param>
    /// <param name="tail">Index of the first one behind it that is the driver's.</param>
    /// <exception cref="ArgumentOutOfRangeException">A descriptor has no bytes.</exception>
    public DescriptorRing(int descriptorSize, Register<ulong> address, Register<uint> length, Register<uint> head, Register<uint> tail)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(descriptorSize, 1);
        ArgumentNullException.ThrowIfNull(address);
        ArgumentNullException.ThrowIfNull(length);
        ArgumentNullException.ThrowIfNull(head);
        ArgumentNullException.ThrowIfNull(tail);
        (_descriptorSize, _address, _length, _head, _tail) = ((uint)descriptorSize, address, length, head, tail);
    }

    /// <summary>How many descriptors it has.</summary>
    public int Count => (int)Math.Min(_length.Value / _descriptorSize, int.MaxValue);

    /// <summary>How many descriptors are the device's: none if head or tail lie outside the ring.</summary>
    public int Ready
    {
        get
        {
            uint count = (uint)Count;
            uint head = _head.Value;
            uint tail = _tail.Value;
            if (head >= count || tail >= count)
                return 0;
            return (int)(tail >= head ? tail - head : tail + count - head);
        }
    }

    /// <summary>Address of the first descriptor that is the device's, if one is.</summary>
    public Iova Next => new(_address.Value + ((ulong)_head.Value * _descriptorSize));

    /// <summary>The first descriptor is the driver's again: moves the head.</summary>
    public void Advance() => _head.Value = _head.Value + 1 < (uint)Count ? _head.Value + 1 : 0;
}
