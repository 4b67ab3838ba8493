using System.Buffers.Binary;
using System.Net.NetworkInformation;

namespace VfioUser.Network;

/// <summary>Ethernet frames to test with.</summary>
internal static class Frames
{
    public static readonly PhysicalAddress Peer = PhysicalAddress.Parse("52-54-00-AA-BB-02");
    public static readonly PhysicalAddress Broadcast = PhysicalAddress.Parse("FF-FF-FF-FF-FF-FF");

    /// <summary>A frame of a type that means nothing.</summary>
    public static byte[] To(PhysicalAddress destination, int length = 100, PhysicalAddress? source = null)
    {
        byte[] frame = new byte[length];
        for (int i = 14; i < length; i++)
            frame[i] = (byte)(i * 7);
        destination.GetAddressBytes().CopyTo(frame, 0);
        (source ?? Peer).GetAddressBytes().CopyTo(frame, 6);
        (frame[12], frame[13]) = (0x88, 0xB5);
        return frame;
    }

    public static byte[] Tagged(byte[] frame, ushort tag) => [.. frame[..12], 0x81, 0x00, (byte)(tag >> 8), (byte)tag, .. frame[12..]];

    /// <summary>An IPv4 frame with TCP, whose checksums are right.</summary>
    public static byte[] Tcp(PhysicalAddress destination, int payload, uint sequence = 1000)
    {
        byte[] frame = To(destination, 54 + payload);
        (frame[12], frame[13]) = (0x08, 0x00);
        Span<byte> ip = frame.AsSpan(14);
        ip[..20].Clear();
        ip[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)ip.Length);
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], 0x0700);
        (ip[8], ip[9]) = (64, 6);
        byte[] addresses = [10, 0, 0, 1, 10, 0, 0, 2];
        addresses.CopyTo(ip[12..]);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], (ushort)~Sum(ip[..20]));
        Span<byte> tcp = ip[20..];
        tcp[..20].Clear();
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], sequence);
        tcp[12] = 5 << 4;
        tcp[13] = 0x19; // ACK, PSH, FIN
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], (ushort)~Sum([.. addresses, 0, 6, (byte)(tcp.Length >> 8), (byte)tcp.Length, .. tcp]));
        return frame;
    }

    /// <summary>An IPv6 frame with TCP, whose checksum is right.</summary>
    public static byte[] TcpOverIpv6(PhysicalAddress destination, int payload, uint sequence = 1000)
    {
        byte[] frame = To(destination, 74 + payload);
        (frame[12], frame[13]) = (0x86, 0xDD);
        Span<byte> ip = frame.AsSpan(14);
        ip[..40].Clear();
        ip[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(ip.Length - 40));
        (ip[6], ip[7]) = (6, 64);
        (ip[8], ip[23], ip[24], ip[39]) = (0xFD, 1, 0xFD, 2);
        Span<byte> tcp = ip[40..];
        tcp[..20].Clear();
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], sequence);
        tcp[12] = 5 << 4;
        tcp[13] = 0x18; // ACK, PSH
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], (ushort)~Sum([.. ip[8..40], 0, 6, (byte)(tcp.Length >> 8), (byte)tcp.Length, .. tcp]));
        return frame;
    }

    /// <summary>The same frame with its checksum left to others: the sum of the pseudo header is in its place.</summary>
    /// <param name="frame">Of TCP, with right checksums; not tagged.</param>
    /// <param name="segmentSize">0 for one that is not to be cut.</param>
    public static (byte[] Frame, FrameOffload Offload) Unfinished(byte[] frame, int segmentSize = 0)
    {
        bool isIpv4 = frame[12] == 0x08;
        int start = isIpv4 ? 34 : 54;
        byte[] unfinished = [.. frame];
        int length = frame.Length - start;
        ReadOnlySpan<byte> addresses = isIpv4 ? frame.AsSpan(26, 8) : frame.AsSpan(22, 32);
        BinaryPrimitives.WriteUInt16BigEndian(unfinished.AsSpan(start + 16), Sum([.. addresses, 0, 6, (byte)(length >> 8), (byte)length]));
        FrameOffload offload = new() { NeedsChecksum = true, ChecksumStart = start, ChecksumOffset = 16 };
        return (unfinished, segmentSize == 0 ? offload : offload with
        {
            Segmentation = isIpv4 ? FrameSegmentation.TcpOverIPv4 : FrameSegmentation.TcpOverIPv6,
            SegmentSize = segmentSize,
            HeaderLength = start + 20,
        });
    }

    /// <summary>Whether the checksum of TCP over IPv6 is right.</summary>
    public static bool IsValidTcpOverIpv6(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> tcp = frame.Slice(54, BinaryPrimitives.ReadUInt16BigEndian(frame[18..]));
        return Sum([.. frame[22..54], 0, 6, (byte)(tcp.Length >> 8), (byte)tcp.Length, .. tcp]) == 0xFFFF;
    }

    /// <summary>Whether all of an IPv4 frame's checksums are right.</summary>
    public static bool IsValidTcp(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> ip = frame.Slice(14, BinaryPrimitives.ReadUInt16BigEndian(frame[16..]));
        ReadOnlySpan<byte> tcp = ip[20..];
        return Sum(ip[..20]) == 0xFFFF && Sum([.. ip[12..20], 0, 6, (byte)(tcp.Length >> 8), (byte)tcp.Length, .. tcp]) == 0xFFFF;
    }

    /// <summary>As RFC 1071 has it, word by word: not the code that is tested.</summary>
    public static ushort Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            sum += (uint)bytes[i] << (i % 2 == 0 ? 8 : 0);
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        return (ushort)sum;
    }
}
