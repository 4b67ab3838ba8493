using E1000.Device;
using VfioUser;

namespace E1000.Tests.Support;

/// <summary>Transmit descriptors, by the manual's layout.</summary>
internal static class Descriptors
{
    public const TransmitCommand Whole = TransmitCommand.EndOfPacket | TransmitCommand.ReportStatus;

    public static (ulong Low, ulong High) Legacy(Iova address, int length, TransmitCommand command = Whole, byte checksumStart = 0, byte checksumOffset = 0, ushort tag = 0) =>
        (address.Value, (uint)length | (ulong)checksumOffset << 16 | (ulong)command << 24 | (ulong)checksumStart << 40 | (ulong)tag << 48);

    /// <param name="address">Of the data.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="command">Beside that it is extended.</param>
    /// <param name="options">1: insert the checksum of IP; 2: that of TCP.</param>
    public static (ulong Low, ulong High) Data(Iova address, int length, TransmitCommand command = Whole, byte options = 0) =>
        (address.Value, (uint)length | 1ul << 20 | (ulong)(command | TransmitCommand.Extended) << 24 | (ulong)options << 40);

    /// <summary>For IPv4 without options, and TCP.</summary>
    public static (ulong Low, ulong High) Context(ContextCommand command = ContextCommand.Tcp | ContextCommand.Ipv4,
        int headerLength = 54, int segmentSize = 0, int payload = 0, int ipStart = 14, int tcpStart = 34) =>
        ((uint)ipStart | (ulong)(ipStart + 10) << 8 | (ulong)(tcpStart - 1) << 16 | (ulong)tcpStart << 32 | (ulong)(tcpStart + 16) << 40,
            (uint)payload | ((ulong)command | (ulong)TransmitCommand.Extended) << 24 | (ulong)headerLength << 40 | (ulong)segmentSize << 48);
}
