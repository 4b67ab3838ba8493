using System.Buffers.Binary;

namespace VfioUser.Network;

/// <summary>A frame that is cut into TCP segments, in its own memory: each segment's header goes where the payload before it was.</summary>
internal readonly ref struct TcpSegments
{
    private const int MinIpv4Header = 20;
    private const int Ipv6Header = 40;
    private const int MinTcpHeader = 20;
    private const int MaxHeaders = 256;
    private const byte Tcp = 6;

    private const int SequenceOffset = 4;
    private const int FlagsOffset = 13;
    private const int ChecksumOffset = 16;
    private const byte FinAndPush = 0x09;
    private const byte CongestionWindowReduced = 0x80;

    private readonly Span<byte> _frame;
    private readonly int _ip;
    private readonly int _tcp;
    private readonly int _payload;
    private readonly int _segmentSize;
    private readonly bool _isIpv4;

    private TcpSegments(Span<byte> frame, int ip, int tcp, int payload, int segmentSize, bool isIpv4)
    {
        _frame = frame;
        (_ip, _tcp, _payload) = (ip, tcp, payload);
        (_segmentSize, _isIpv4) = (segmentSize, isIpv4);
    }

    /// <param name="frame">A copy that nobody else changes; used up.</param>
    /// <param name="offload">Valid for it.</param>
    /// <param name="segments">What it is cut into.</param>
    /// <returns>False if its headers are not what the offload says.</returns>
    public static bool TryParse(Span<byte> frame, in FrameOffload offload, out TcpSegments segments)
    {
        segments = default;
        bool isIpv4 = offload.Segmentation == FrameSegmentation.TcpOverIPv4;
        int tcp = offload.ChecksumStart;
        if (Ethernet.TypeOf(frame, out int ip) != (isIpv4 ? Ethernet.IPv4 : Ethernet.IPv6))
            return false;
        if (isIpv4)
        {
            if (tcp < ip + MinIpv4Header || frame[ip] >> 4 != 4 || ip + (frame[ip] & 0xF) * 4 != tcp)
                return false;
        }
        else if (tcp < ip + Ipv6Header || frame[ip] >> 4 != 6)
        {
            return false;
        }
        int header = (frame[tcp + 12] >> 4) * 4;
        int payload = tcp + header;
        if (header < MinTcpHeader || payload >= frame.Length || payload > MaxHeaders)
            return false;
        segments = new TcpSegments(frame, ip, tcp, payload, offload.SegmentSize, isIpv4);
        return true;
    }

    public void Send(INetworkPort port)
    {
        Span<byte> header = stackalloc byte[_payload];
        _frame[.._payload].CopyTo(header);
        ushort id = _isIpv4 ? BinaryPrimitives.ReadUInt16BigEndian(header[(_ip + 4)..]) : (ushort)0;
        uint sequence = BinaryPrimitives.ReadUInt32BigEndian(header[(_tcp + SequenceOffset)..]);
        byte flags = header[_tcp + FlagsOffset];
        for (int start = _payload; start < _frame.Length; start += _segmentSize)
        {
            bool isFirst = start == _payload;
            bool isLast = _frame.Length - start <= _segmentSize;
            Span<byte> segment = _frame.Slice(start - _payload, _payload + Math.Min(_segmentSize, _frame.Length - start));
            header.CopyTo(segment);
            Span<byte> tcp = segment[_tcp..];
            BinaryPrimitives.WriteUInt32BigEndian(tcp[SequenceOffset..], sequence);
            tcp[FlagsOffset] = (byte)(flags & ~(isFirst ? 0 : CongestionWindowReduced) & ~(isLast ? 0 : FinAndPush));
            CompleteIp(segment[_ip..], id);
            CompleteChecksum(segment[_ip..], tcp);
            port.Send(new NetworkFrame(segment));
            id++;
            sequence += (uint)_segmentSize;
        }
    }

    private void CompleteIp(Span<byte> ip, ushort id)
    {
        if (!_isIpv4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(ip.Length - Ipv6Header));
            return;
        }
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)ip.Length);
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], id);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], (ushort)~InternetChecksum.Sum(ip[..(_tcp - _ip)]));
    }

    // of the segment and of the pseudo header: addresses, protocol, length
    private void CompleteChecksum(ReadOnlySpan<byte> ip, Span<byte> tcp)
    {
        ReadOnlySpan<byte> addresses = _isIpv4 ? ip[12..20] : ip[8..40];
        BinaryPrimitives.WriteUInt16BigEndian(tcp[ChecksumOffset..], 0);
        ushort sum = InternetChecksum.Sum(tcp, InternetChecksum.Sum(addresses, (uint)(Tcp + tcp.Length)));
        BinaryPrimitives.WriteUInt16BigEndian(tcp[ChecksumOffset..], InternetChecksum.Finish(sum));
    }
}
