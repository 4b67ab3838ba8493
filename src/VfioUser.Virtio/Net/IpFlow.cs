using System.Buffers.Binary;
using VfioUser.Network;

namespace VfioUser.Virtio;

/// <summary>What tells a flow from others: addresses and, if it has them, ports. Of a frame's headers, which nobody has checked.</summary>
internal readonly ref struct IpFlow
{
    private const int MostHeaders = 256; // no more is looked at
    private const int MinIpv4Header = 20;
    private const int Ipv6Header = 40;
    private const int PortsLength = 4;
    private const byte Tcp = 6;
    private const byte Udp = 17;
    private const ushort FragmentBits = 0x3FFF;

    /// <summary>The source's, then the destination's: 8 or 32 bytes.</summary>
    public ReadOnlySpan<byte> Addresses { get; private init; }

    /// <summary>The same of the ports, 4 bytes; empty without TCP and UDP, and for fragments.</summary>
    public ReadOnlySpan<byte> Ports { get; private init; }

    public bool IsIPv6 { get; private init; }

    public bool IsTcp { get; private init; }

    /// <returns>False for what is not IP.</returns>
    public static bool TryRead(ReadOnlySpan<byte> head, out IpFlow flow)
    {
        ushort type = Ethernet.TypeOf(head, out int offset);
        ReadOnlySpan<byte> ip = head[offset..Math.Min(head.Length, MostHeaders)];
        flow = default;
        if (type == Ethernet.IPv4 && ip.Length >= MinIpv4Header)
        {
            int end = (ip[0] & 0xF) * 4;
            bool isWhole = end >= MinIpv4Header && (BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & FragmentBits) == 0;
            flow = new IpFlow { Addresses = ip[12..20], Ports = isWhole ? PortsOf(ip, end, ip[9]) : [], IsTcp = ip[9] == Tcp };
            return true;
        }
        if (type != Ethernet.IPv6 || ip.Length < Ipv6Header)
            return false;
        int transport = Ipv6Header;
        byte next = ip[6];
        while (IsSkipped(next) && ip.Length >= transport + 2)
            (next, transport) = (ip[transport], transport + 8 + 8 * ip[transport + 1]);
        flow = new IpFlow { Addresses = ip[8..Ipv6Header], Ports = PortsOf(ip, transport, next), IsIPv6 = true, IsTcp = next == Tcp };
        return true;
    }

    private static ReadOnlySpan<byte> PortsOf(ReadOnlySpan<byte> ip, int transport, byte protocol) =>
        protocol is Tcp or Udp && ip.Length >= transport + PortsLength ? ip.Slice(transport, PortsLength) : [];

    // hop-by-hop options, routing, destination options
    private static bool IsSkipped(byte header) => header is 0 or 43 or 60;
}
