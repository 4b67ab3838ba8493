namespace VfioUser.Network;

/// <summary>A frame that a device puts together from buffers of its driver, or takes apart for it: with room for VLAN tags that are put
/// in.</summary>
/// <remarks>Used by one thread at a time. Allocates when it is made, and never afterwards. What a guest asks for that cannot be is false,
/// and leaves the frame as it is.</remarks>
public sealed class FrameBuffer
{
    // room for tags, which move the addresses before them and not the payload behind
    private const int Headroom = 2 * Ethernet.VlanTagLength;

    private readonly byte[] _bytes;
    private int _start = Headroom;

    /// <summary>Creates an empty one.</summary>
    /// <param name="capacity">How long a frame can be without tags that are put in, in bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is less than <see cref="NetworkFrame.MinLength"/>, or more than
    /// <see cref="NetworkFrame.MaxLength"/>.</exception>
    public FrameBuffer(int capacity = NetworkFrame.MaxLength)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, NetworkFrame.MinLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacity, NetworkFrame.MaxLength);
        _bytes = new byte[Headroom + capacity];
    }

    /// <summary>How long the frame is, in bytes.</summary>
    public int Length { get; private set; }

    /// <summary>The frame so far. Valid until it gets shorter or longer.</summary>
    public Span<byte> Bytes => _bytes.AsSpan(_start, Length);

    /// <summary>What is left to do for the frame. A tag that is put in or taken out moves the places that it names.</summary>
    public FrameOffload Offload { get; set; }

    /// <summary>Begins a frame anew: it is empty, and leaves nothing to do.</summary>
    public void Clear() => (_start, Length, Offload) = (Headroom, 0, default);

    /// <summary>Appends bytes.</summary>
    /// <returns>False if there is no room for all of them.</returns>
    public bool TryAppend(ReadOnlySpan<byte> bytes)
    {
        if (!TryGrow(bytes.Length, out Span<byte> room))
            return false;
        bytes.CopyTo(room);
        Length += bytes.Length;
        return true;
    }

    /// <summary>Appends bytes of guest memory: a buffer of a descriptor.</summary>
    /// <param name="dma">The device's.</param>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes; any.</param>
    /// <returns>False if there is no room for all of them, or they are not all readable.</returns>
    public bool TryAppend(Dma dma, Iova address, int length)
    {
        ArgumentNullException.ThrowIfNull(dma);
        if (!TryGrow(length, out Span<byte> room) || !dma.TryRead(address, room))
            return false;
        Length += length;
        return true;
    }

    /// <summary>Begins anew with a copy of a frame, and with what is left to do for it.</summary>
    /// <returns>False if there is no room for it, or the sender's memory is gone; the buffer is empty then.</returns>
    public bool TryCopyFrom(in NetworkFrame frame)
    {
        Clear();
        if (!TryGrow(frame.Length, out Span<byte> room) || !frame.TryCopyTo(0, room))
            return false;
        (Length, Offload) = (frame.Length, frame.Offload);
        return true;
    }

    /// <summary>Appends zeros to a frame that is shorter: to the shortest length on a cable, say.</summary>
    /// <returns>False if there is no room for as many.</returns>
    public bool TryPad(int length)
    {
        if (length <= Length)
            return true;
        if (!TryGrow(length - Length, out Span<byte> room))
            return false;
        room.Clear();
        Length = length;
        return true;
    }

    /// <summary>Puts a VLAN tag behind the addresses, before other tags. IEEE 802.1Q 9.3.</summary>
    /// <param name="protocol">Tag protocol identifier: <see cref="Ethernet.VlanTag"/>, or what the driver says.</param>
    /// <param name="tag">Tag control information: priority, drop eligibility, VLAN.</param>
    /// <returns>False if it is no frame yet, or has no room for another tag, as after two.</returns>
    public bool TryInsertVlanTag(ushort protocol, ushort tag)
    {
        if (Length < Ethernet.HeaderLength || _start < Ethernet.VlanTagLength)
            return false;
        Span<byte> addresses = Bytes[..Ethernet.TypeOffset];
        Move(-Ethernet.VlanTagLength);
        addresses.CopyTo(Bytes);
        Ethernet.WriteVlanTag(Bytes, protocol, tag);
        return true;
    }

    /// <summary>Takes the outer VLAN tag out of the frame.</summary>
    /// <param name="protocol">Tag protocol identifier of the tags that are meant.</param>
    /// <param name="tag">Its tag control information; 0 if there is none.</param>
    /// <returns>Whether there was one.</returns>
    public bool TryRemoveVlanTag(ushort protocol, out ushort tag)
    {
        if (!Ethernet.TryGetVlanTag(Bytes, protocol, out tag))
            return false;
        Span<byte> addresses = Bytes[..Ethernet.TypeOffset];
        Move(Ethernet.VlanTagLength);
        addresses.CopyTo(Bytes);
        return true;
    }

    /// <summary>The frame to send.</summary>
    /// <param name="frame">Valid until this buffer is changed.</param>
    /// <returns>False if its length is none of a frame, or what it leaves to do is not valid for it.</returns>
    public bool TryGetFrame(out NetworkFrame frame)
    {
        frame = default;
        if (Length is < NetworkFrame.MinLength or > NetworkFrame.MaxLength || !Offload.IsValidFor(Length))
            return false;
        frame = new NetworkFrame(Bytes, Offload);
        return true;
    }

    private bool TryGrow(int length, out Span<byte> room)
    {
        room = default;
        if (length < 0 || length > _bytes.Length - _start - Length)
            return false;
        room = _bytes.AsSpan(_start + Length, length);
        return true;
    }

    // of the frame's beginning
    private void Move(int distance)
    {
        _start += distance;
        Length -= distance;
        if (Offload.NeedsChecksum)
            Offload = Offload with { ChecksumStart = Offload.ChecksumStart - distance };
        if (Offload.HeaderLength > 0)
            Offload = Offload with { HeaderLength = Offload.HeaderLength - distance };
    }
}
