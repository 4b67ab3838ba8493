using System.Buffers.Binary;

namespace VfioUser.Network;

/// <summary>Checks the checksums of frames, for devices that do it for their drivers.</summary>
/// <remarks>Any thread. Frames may be whatever somebody sent, with up to two VLAN tags.</remarks>
public static class FrameChecksums
{
    private const int MinIpHeader = 20;
    private const byte Tcp = 6;
    private const byte Udp = 17;
    private const ushort Fragment = 0x3FFF;

    /// <summary>Checks that of the IPv4 header.</summary>
    /// <param name="frame">All of it, from the destination's address.</param>
    /// <returns>None if it is not IPv4. RFC 791 3.1.</returns>
    public static ChecksumState CheckIPv4(ReadOnlySpan<byte> frame) =>
        TryParse(frame, out _, out ReadOnlySpan<byte> header) ? StateOf(InternetChecksum.Sum(header)) : ChecksumState.None;

    /// <summary>Checks that of TCP or UDP over IPv4.</summary>
    /// <param name="frame">All of it, from the destination's address.</param>
    /// <returns>None if it is something else, a fragment, or UDP without a checksum. RFC 9293 3.1, RFC 768.</returns>
    public static ChecksumState CheckTransport(ReadOnlySpan<byte> frame)
    {
        if (!TryParse(frame, out ReadOnlySpan<byte> packet, out ReadOnlySpan<byte> header))
            return ChecksumState.None;
        ReadOnlySpan<byte> transport = packet[header.Length..];
        byte protocol = header[9];
        if (protocol is not (Tcp or Udp) || transport.Length < 8 || (BinaryPrimitives.ReadUInt16BigEndian(header[6..]) & Fragment) != 0)
            return ChecksumState.None;
        if (protocol == Udp && BinaryPrimitives.ReadUInt16BigEndian(transport[6..]) == 0)
            return ChecksumState.None;
        uint pseudoHeader = InternetChecksum.Sum(header[12..20], (uint)(protocol + transport.Length));
        return StateOf(InternetChecksum.Sum(transport, pseudoHeader));
    }

    private static ChecksumState StateOf(ushort sum) => sum == ushort.MaxValue ? ChecksumState.Valid : ChecksumState.Wrong;

    private static bool TryParse(ReadOnlySpan<byte> frame, out ReadOnlySpan<byte> packet, out ReadOnlySpan<byte> header)
    {
        packet = header = default;
        if (frame.Length < Ethernet.HeaderLength || Ethernet.TypeOf(frame, out int offset) != Ethernet.IPv4)
            return false;
        ReadOnlySpan<byte> ip = frame[offset..];
        if (ip.Length < MinIpHeader || ip[0] >> 4 != 4)
            return false;
        int headerLength = (ip[0] & 0xF) * 4;
        int length = BinaryPrimitives.ReadUInt16BigEndian(ip[2..]);
        if (headerLength < MinIpHeader || length < headerLength || length > ip.Length)
            return false;
        packet = ip[..length];
        header = ip[..headerLength];
        return true;
    }
}
