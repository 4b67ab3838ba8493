namespace VfioUser.Network;

/// <summary>The work that the sender of a frame leaves to whoever puts it on a cable; the default leaves none. Immutable.</summary>
/// <remarks>Between guests of one host it is never done: a TCP segment of 64 KiB passes as one frame. VIRTIO 1.3 5.1.6.</remarks>
public readonly record struct FrameOffload
{
    // a segment costs as much as a frame: tiny ones would make thousands of one frame
    private const int MinSegmentSize = 32;
    private const int MinIpHeader = 20;
    private const int MinTcpHeader = 20;
    private const int TcpChecksumOffset = 16;
    private const int ChecksumLength = 2;

    /// <summary>Whether the transport's checksum is missing: at its place is the sum of the pseudo header.</summary>
    public bool NeedsChecksum { get; init; }

    /// <summary>If it is missing: its first byte, the beginning of the transport header, relative to the frame.</summary>
    public int ChecksumStart { get; init; }

    /// <summary>If it is missing: where it belongs, relative to <see cref="ChecksumStart"/>.</summary>
    public int ChecksumOffset { get; init; }

    /// <summary>Whether somebody who is trusted has checked the checksum: the receiver need not.</summary>
    public bool IsChecksumValid { get; init; }

    /// <summary>What the frame is to be cut into. The checksum is missing then, too.</summary>
    public FrameSegmentation Segmentation { get; init; }

    /// <summary>Of a frame to be cut: whether only the first segment may have CWR. RFC 3168 6.1.2.</summary>
    public bool HasEcn { get; init; }

    /// <summary>Of a frame to be cut: bytes of payload in each segment, but for the last one.</summary>
    public int SegmentSize { get; init; }

    /// <summary>Of a frame to be cut: how long its headers are, or 0. A hint, which nobody relies on.</summary>
    public int HeaderLength { get; init; }

    /// <summary>What a port must be able to do to take the frame as it is.</summary>
    public PortOffloads Required => (NeedsChecksum ? PortOffloads.Checksum : 0) | (HasEcn ? PortOffloads.TcpEcn : 0) | Segmentation switch
    {
        FrameSegmentation.TcpOverIPv4 => PortOffloads.TcpOverIPv4,
        FrameSegmentation.TcpOverIPv6 => PortOffloads.TcpOverIPv6,
        _ => PortOffloads.None,
    };

    /// <summary>Whether it can belong to a frame: all that it names lies in it.</summary>
    /// <param name="length">Of the frame, in bytes.</param>
    /// <remarks>Check what a guest has written before a frame is made of it.</remarks>
    public bool IsValidFor(int length)
    {
        if (ChecksumStart < 0 || ChecksumOffset < 0 || SegmentSize < 0 || HeaderLength < 0)
            return false;
        if (NeedsChecksum && ((long)ChecksumStart + ChecksumOffset + ChecksumLength > length || IsChecksumValid))
            return false;
        return Segmentation switch
        {
            FrameSegmentation.None => !HasEcn,
            FrameSegmentation.TcpOverIPv4 or FrameSegmentation.TcpOverIPv6 => NeedsChecksum && SegmentSize >= MinSegmentSize
                && ChecksumStart >= Ethernet.HeaderLength + MinIpHeader && ChecksumOffset == TcpChecksumOffset
                && ChecksumStart + MinTcpHeader <= length,
            _ => false,
        };
    }
}
