using System.Buffers.Binary;
using VfioUser;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>What the card says of the checksums of a frame that it received. Command thread.</summary>
internal sealed class ReceiveChecksums
{
    private const ushort Ipv4 = 0x0800;
    private const int MinIpHeader = 20;
    private const int Tcp = 6;
    private const int Udp = 17;
    private const ushort Fragment = 0x3FFF;

    private readonly RegisterField<byte> _start;
    private readonly RegisterField<bool> _checksIp, _checksTcp;

    public ReceiveChecksums(RegisterBlock csr)
    {
        Register<uint> control = csr.AddRegister<uint>(0x5000, new() { Name = "RXCSUM", WriteMask = 0x7FF });
        _start = control.AddField<byte>(0, 8, "PCSS");
        _checksIp = control.AddFlag(8, "IPOFLD");
        _checksTcp = control.AddFlag(9, "TUOFLD");
    }

    /// <summary>Sum of all words from where the guest said.</summary>
    public ushort Sum(ReadOnlySpan<byte> frame) => InternetChecksum.Sum(frame[Math.Min(_start.Value, frame.Length)..]);

    public ReceiveStatus Check(ReadOnlySpan<byte> frame)
    {
        ReadOnlySpan<byte> ip = frame[Ethernet.HeaderLength..];
        if (Ethernet.TypeOf(frame) != Ipv4 || ip.Length < MinIpHeader || ip[0] >> 4 != 4)
            return ReceiveStatus.IgnoreChecksums;
        int headerLength = (ip[0] & 0xF) * 4;
        int length = BinaryPrimitives.ReadUInt16BigEndian(ip[2..]);
        if (headerLength < MinIpHeader || length < headerLength || length > ip.Length)
            return ReceiveStatus.IgnoreChecksums;

        ReceiveStatus status = 0;
        if (_checksIp.Value)
        {
            status |= ReceiveStatus.IpChecksumChecked;
            if (InternetChecksum.Sum(ip[..headerLength]) != ushort.MaxValue)
                status |= ReceiveStatus.IpChecksumError;
        }
        if (_checksTcp.Value && (BinaryPrimitives.ReadUInt16BigEndian(ip[6..]) & Fragment) == 0)
            status |= CheckTransport(ip[..length], headerLength);
        return status == 0 ? ReceiveStatus.IgnoreChecksums : status;
    }

    private static ReceiveStatus CheckTransport(ReadOnlySpan<byte> ip, int headerLength)
    {
        ReadOnlySpan<byte> transport = ip[headerLength..];
        byte protocol = ip[9];
        if (protocol is not (Tcp or Udp) || transport.Length < 8)
            return 0;
        if (protocol == Udp && BinaryPrimitives.ReadUInt16BigEndian(transport[6..]) == 0)
            return 0; // the sender made none
        uint pseudoHeader = InternetChecksum.Sum(ip[12..20], (uint)(protocol + transport.Length));
        return InternetChecksum.Sum(transport, pseudoHeader) == ushort.MaxValue
            ? ReceiveStatus.TcpChecksumChecked
            : ReceiveStatus.TcpChecksumChecked | ReceiveStatus.TcpChecksumError;
    }
}
