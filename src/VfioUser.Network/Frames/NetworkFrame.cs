namespace VfioUser.Network;

/// <summary>An Ethernet frame on its way: from the destination's address to the end of the data, without the check sequence.</summary>
/// <remarks>
/// <para>Its first bytes are in this process's memory. The rest may be in that of the guest that sends it, so that it is copied once, to
/// where it goes: the guest may change that part at any time.</para>
/// <para>Valid during the call that it is passed to.</para>
/// </remarks>
public readonly ref struct NetworkFrame
{
    /// <summary>The shortest one: a header.</summary>
    public const int MinLength = Ethernet.HeaderLength;

    /// <summary>The longest one: a header, a VLAN tag, and as much as the length of an IP packet can say.</summary>
    public const int MaxLength = Ethernet.HeaderLength + Ethernet.VlanTagLength + ushort.MaxValue;

    /// <summary>How many bytes of a frame are in <see cref="Head"/> at least, or all: its headers up to the transport's.</summary>
    public const int MinHeadLength = 128;

    private const int TcpDataOffset = 12;

    private readonly DmaList? _rest;
    private readonly long _offset;

    /// <summary>A frame in this process's memory.</summary>
    /// <param name="bytes">All of it.</param>
    /// <param name="offload">What is left to do.</param>
    /// <exception cref="ArgumentException">It has less than <see cref="MinLength"/> bytes or more than <see cref="MaxLength"/>, or the
    /// offload is not valid for it. Check both if they come from a guest.</exception>
    public NetworkFrame(ReadOnlySpan<byte> bytes, FrameOffload offload = default)
    {
        (Length, Offload) = (bytes.Length, offload);
        Head = bytes;
        Check();
    }

    /// <summary>A frame whose end is in the memory of a guest.</summary>
    /// <param name="head">Its first bytes, at least <see cref="MinHeadLength"/>.</param>
    /// <param name="memory">Has the rest, and ends with it.</param>
    /// <param name="offset">Where the rest begins.</param>
    /// <param name="offload">What is left to do.</param>
    /// <exception cref="ArgumentException">As for the other constructor, or the head is too short.</exception>
    public NetworkFrame(ReadOnlySpan<byte> head, DmaList memory, long offset, FrameOffload offload = default)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, memory.Length);
        long length = head.Length + memory.Length - offset;
        (Length, Offload) = ((int)Math.Min(length, int.MaxValue), offload);
        Head = head;
        (_rest, _offset) = (memory, offset);
        Check();
        if (head.Length < Math.Min(length, MinHeadLength))
            throw new ArgumentException($"The head has {head.Length} bytes of {length}.", nameof(head));
    }

    /// <summary>In bytes.</summary>
    public int Length { get; }

    /// <summary>Its first bytes, which nobody changes meanwhile; of most frames all.</summary>
    public ReadOnlySpan<byte> Head { get; }

    /// <summary>What is left to do.</summary>
    public FrameOffload Offload { get; }

    /// <summary>How many frames it is on a cable: the segments that it is to be cut into, or 1. 0 if a frame to be cut has no payload.</summary>
    public int SegmentCount
    {
        get
        {
            if (Offload.Segmentation == FrameSegmentation.None)
                return 1;
            int payload = Length - HeadersLength;
            return payload <= 0 ? 0 : (payload + Offload.SegmentSize - 1) / Offload.SegmentSize;
        }
    }

    /// <summary>Copies a part of it into this process's memory.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">Filled, or cleared when the guest's memory is gone.</param>
    /// <returns>Whether it is filled.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The frame has not as many bytes there.</exception>
    public bool TryCopyTo(int offset, Span<byte> destination)
    {
        CheckRange(offset, destination.Length);
        int fromHead = Math.Clamp(Head.Length - offset, 0, destination.Length);
        if (fromHead > 0)
            Head.Slice(offset, fromHead).CopyTo(destination);
        return fromHead == destination.Length || _rest!.TryRead(_offset + offset + fromHead - Head.Length, destination[fromHead..]);
    }

    /// <summary>Copies a part of it into a guest's memory, straight from that of the sender.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="destination">The guest's buffer.</param>
    /// <param name="destinationOffset">First byte to write, relative to <paramref name="destination"/>.</param>
    /// <returns>Done; otherwise why and where the memory of one or the other failed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The frame has not as many bytes there.</exception>
    public DmaResult TryCopyTo(int offset, int length, DmaList destination, long destinationOffset)
    {
        ArgumentNullException.ThrowIfNull(destination);
        CheckRange(offset, length);
        int fromHead = Math.Clamp(Head.Length - offset, 0, length);
        DmaResult result = fromHead > 0 ? destination.TryWrite(destinationOffset, Head.Slice(offset, fromHead)) : DmaResult.Done;
        return fromHead == length || !result
            ? result
            : _rest!.TryCopyTo(_offset + offset + fromHead - Head.Length, destination, destinationOffset + fromHead, length - fromHead);
    }

    /// <summary>How long one of the frames is that it is on a cable, in bytes.</summary>
    /// <param name="index">From 0 to <see cref="SegmentCount"/> - 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not one of them.</exception>
    public int GetSegmentLength(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, SegmentCount);
        if (Offload.Segmentation == FrameSegmentation.None)
            return Length;
        int headers = HeadersLength;
        return headers + Math.Min(Offload.SegmentSize, Length - headers - (index * Offload.SegmentSize));
    }

    /// <summary>Sends it to a port. What it leaves to do and the port cannot is done before: its checksum is put in, and it is cut into
    /// segments.</summary>
    /// <remarks>Any thread. Allocates nothing.</remarks>
    public void SendTo(INetworkPort port)
    {
        ArgumentNullException.ThrowIfNull(port);
        if ((Offload.Required & ~port.Offloads) == 0)
            port.Send(this);
        else
            SoftwareOffload.Send(this, port);
    }

    // of a frame to be cut, up to TCP's; all of it if the memory is gone that has them
    private int HeadersLength
    {
        get
        {
            Span<byte> dataOffset = stackalloc byte[1];
            return TryCopyTo(Offload.ChecksumStart + TcpDataOffset, dataOffset) ? Offload.ChecksumStart + ((dataOffset[0] >> 4) * sizeof(uint)) : Length;
        }
    }

    private void Check()
    {
        if (Length is < MinLength or > MaxLength)
            throw new ArgumentException($"A frame of {Length} bytes.");
        if (!Offload.IsValidFor(Length))
            throw new ArgumentException($"{Offload} is not valid for a frame of {Length} bytes.");
    }

    private void CheckRange(int offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - offset);
    }
}
