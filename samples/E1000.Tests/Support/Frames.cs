using System.Buffers.Binary;
using System.Net.NetworkInformation;
using E1000.Device;
using E1000.Network;

namespace E1000.Tests.Support;

/// <summary>Ethernet frames to test with.</summary>
internal static class Frames
{
    public static readonly PhysicalAddress Peer = PhysicalAddress.Parse("52-54-00-AA-BB-02");
    public static readonly PhysicalAddress Broadcast = PhysicalAddress.Parse("FF-FF-FF-FF-FF-FF");

    /// <summary>A frame of a type that means nothing.</summary>
    public static byte[] To(PhysicalAddress destination, int length = 100, PhysicalAddress? source = null)
    {
        byte[] frame = new byte[length];
        for (int i = Ethernet.HeaderLength; i < length; i++)
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

    /// <summary>Whether all of an IPv4 frame's checksums are right.</summary>
    public static bool IsValidTcp(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> ip = frame.Slice(14, BinaryPrimitives.ReadUInt16BigEndian(frame[16..]));
        ReadOnlySpan<byte> tcp = ip[20..];
        return Sum(ip[..20]) == 0xFFFF && Sum([.. ip[12..20], 0, 6, (byte)(tcp.Length >> 8), (byte)tcp.Length, .. tcp]) == 0xFFFF;
    }

    /// <summary>As RFC 1071 has it, word by word: not the sample's own.</summary>
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
