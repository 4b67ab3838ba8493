using System.Buffers.Binary;

namespace VfioUser.Network;

/// <summary>An offload as virtio's network header and TAP interfaces have it, before each frame; little-endian.</summary>
/// <remarks>VIRTIO 1.3 5.1.6 "Device Operation"; Linux: <c>include/uapi/linux/virtio_net.h</c>.</remarks>
internal static class OffloadHeader
{
    /// <summary>Without the number of buffers, which only virtio has.</summary>
    public const int Length = 10;

    private const byte NeedsChecksum = 1;
    private const byte DataValid = 2;
    private const byte NoSegmentation = 0;
    private const byte TcpOverIPv4 = 1;
    private const byte TcpOverIPv6 = 4;
    private const byte Ecn = 0x80;

    /// <returns>False if it leaves work that no frame of this package leaves.</returns>
    public static bool TryRead(ReadOnlySpan<byte> header, out FrameOffload offload)
    {
        byte flags = header[0];
        byte type = (byte)(header[1] & ~Ecn);
        bool needsChecksum = (flags & NeedsChecksum) != 0;
        bool isCut = type != NoSegmentation;
        offload = new FrameOffload
        {
            NeedsChecksum = needsChecksum,
            IsChecksumValid = (flags & DataValid) != 0 && !needsChecksum,
            ChecksumStart = needsChecksum ? BinaryPrimitives.ReadUInt16LittleEndian(header[6..]) : 0,
            ChecksumOffset = needsChecksum ? BinaryPrimitives.ReadUInt16LittleEndian(header[8..]) : 0,
            Segmentation = type switch
            {
                TcpOverIPv4 => FrameSegmentation.TcpOverIPv4,
                TcpOverIPv6 => FrameSegmentation.TcpOverIPv6,
                _ => FrameSegmentation.None,
            },
            HasEcn = isCut && (header[1] & Ecn) != 0,
            HeaderLength = isCut ? BinaryPrimitives.ReadUInt16LittleEndian(header[2..]) : 0,
            SegmentSize = isCut ? BinaryPrimitives.ReadUInt16LittleEndian(header[4..]) : 0,
        };
        return type is NoSegmentation or TcpOverIPv4 or TcpOverIPv6;
    }

    public static void Write(Span<byte> header, in FrameOffload offload)
    {
        header[0] = (byte)((offload.NeedsChecksum ? NeedsChecksum : 0) | (offload.IsChecksumValid ? DataValid : 0));
        header[1] = (byte)((offload.HasEcn ? Ecn : 0) | offload.Segmentation switch
        {
            FrameSegmentation.TcpOverIPv4 => TcpOverIPv4,
            FrameSegmentation.TcpOverIPv6 => TcpOverIPv6,
            _ => NoSegmentation,
        });
        BinaryPrimitives.WriteUInt16LittleEndian(header[2..], (ushort)offload.HeaderLength);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], (ushort)offload.SegmentSize);
        BinaryPrimitives.WriteUInt16LittleEndian(header[6..], (ushort)offload.ChecksumStart);
        BinaryPrimitives.WriteUInt16LittleEndian(header[8..], (ushort)offload.ChecksumOffset);
    }
}
