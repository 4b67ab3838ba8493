using System.Buffers.Binary;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>Makes the header of each segment from the one header that the guest gave. Manual 3.5.</summary>
internal static class Segmentation
{
    private const int Ipv6HeaderLength = 40;
    private const int MinIpHeader = 20;
    private const int MinTcpHeader = 20;
    private const byte FinAndPush = 0x09;

    /// <summary>Whether the headers that a context speaks of are in its header, and its segments have a sensible size.</summary>
    public static bool IsValid(in TransmitDescriptor context, int maxFrame)
    {
        int ipHeader = context.IsIpv4 ? MinIpHeader : Ipv6HeaderLength;
        int transportHeader = context.IsTcp ? MinTcpHeader : 8;
        // a segment costs as much as a frame, so that tiny ones would keep the thread busy
        return context.SegmentSize >= 48 && context.HeaderLength + context.SegmentSize <= maxFrame
            && context.Ip.Start >= Ethernet.HeaderLength && context.Tcp.Start >= context.Ip.Start + ipHeader
            && context.HeaderLength >= context.Tcp.Start + transportHeader && context.Tcp.Offset + 2 <= context.HeaderLength;
    }

    /// <summary>Completes a segment that has the guest's header.</summary>
    /// <param name="frame">The segment.</param>
    /// <param name="context">What the header is made of.</param>
    /// <param name="number">0 for the first one.</param>
    /// <param name="sent">Bytes of payload before this one.</param>
    /// <param name="isLast">Whether it is the last one.</param>
    public static void Complete(Span<byte> frame, in TransmitDescriptor context, uint number, uint sent, bool isLast)
    {
        Span<byte> ip = frame[context.Ip.Start..];
        Span<byte> transport = frame[context.Tcp.Start..];
        if (context.IsIpv4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)ip.Length);
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(BinaryPrimitives.ReadUInt16BigEndian(ip[4..]) + number));
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)(ip.Length - Ipv6HeaderLength));
        }
        if (context.IsTcp)
        {
            BinaryPrimitives.WriteUInt32BigEndian(transport[4..], BinaryPrimitives.ReadUInt32BigEndian(transport[4..]) + sent);
            if (!isLast)
                transport[13] &= unchecked((byte)~FinAndPush);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(transport[4..], (ushort)transport.Length);
        }
        // the driver has put the sum of the pseudo header there, without the length, which only the card knows
        Span<byte> checksum = frame[context.Tcp.Offset..];
        ushort seed = BinaryPrimitives.ReadUInt16BigEndian(checksum);
        BinaryPrimitives.WriteUInt16BigEndian(checksum, InternetChecksum.Sum([], (uint)(seed + transport.Length)));
    }
}
