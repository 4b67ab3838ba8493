using System.Globalization;

namespace VfioUser.Protocol;

/// <summary>Messages as one readable line each, for logs and traces.</summary>
public static class MessageText
{
    // bytes of data in a line
    private const int Shown = 16;

    /// <summary>Describes a message: command, id, the fields of its payload, its descriptors.</summary>
    public static string Describe(in ReceivedMessage message) =>
        Describe(message.Header, message.Payload, message.FdCount);

    /// <summary>Describes a message.</summary>
    /// <param name="header">Its header.</param>
    /// <param name="payload">What follows the header.</param>
    /// <param name="fdCount">How many descriptors came with it.</param>
    public static string Describe(in MessageHeader header, ReadOnlySpan<byte> payload, int fdCount)
    {
        string kind = header.IsReply ? "reply" : header.NoReply ? "posted" : "command";
        string error = header.IsError ? $" error {(Errno)header.Error}" : "";
        string fds = fdCount == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" +{fdCount} fd");
        return string.Create(CultureInfo.InvariantCulture,
            $"{header.Command} #{header.MessageId} {kind}, {header.MessageSize} bytes{error}{fds} {Payload(header.Command, payload)}").TrimEnd();
    }

    /// <summary>Shows each message of what is sent together.</summary>
    internal static void TraceSent(IMessageTrace trace, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, int fdCount)
    {
        Span<byte> joined = stackalloc byte[2 * Shown];
        while (WireFormat.TryRead(head, out MessageHeader header))
        {
            int length = (int)Math.Min(header.MessageSize, (uint)head.Length);
            scoped ReadOnlySpan<byte> payload = head[MessageHeader.WireSize..length];
            head = head[length..];
            // the data of a single message may lie apart from its head; both together are worth showing if the head is short
            if (head.IsEmpty && !tail.IsEmpty && payload.Length <= Shown)
            {
                payload.CopyTo(joined);
                ReadOnlySpan<byte> shown = tail[..Math.Min(tail.Length, Shown)];
                shown.CopyTo(joined[payload.Length..]);
                payload = joined[..(payload.Length + shown.Length)];
            }
            trace.Message(sent: true, header, payload, fdCount);
        }
    }

    private static string Payload(Command command, ReadOnlySpan<byte> payload) => command switch
    {
        Command.Version => Text<ProtocolVersion>(payload),
        Command.DmaMap => Text<DmaMap>(payload),
        Command.DmaUnmap => Text<DmaUnmap>(payload),
        Command.DeviceGetInfo => Text<DeviceInfo>(payload),
        Command.DeviceGetRegionInfo => Text<RegionInfo>(payload),
        Command.DeviceGetRegionIoFds => Text<RegionIoFds>(payload),
        Command.DeviceGetIrqInfo => Text<IrqInfo>(payload),
        Command.DeviceSetIrqs => Text<IrqSet>(payload),
        Command.RegionRead or Command.RegionWrite => Text<RegionAccess>(payload) + Data(payload, RegionAccess.WireSize),
        Command.DmaRead or Command.DmaWrite => Text<DmaAccess>(payload) + Data(payload, DmaAccess.WireSize),
        Command.RegionWriteMulti => Text<RegionWriteMulti>(payload),
        Command.DeviceFeature => Text<DeviceFeature>(payload),
        Command.MigDataRead or Command.MigDataWrite => Text<MigrationData>(payload),
        _ => "",
    };

    private static string Text<T>(ReadOnlySpan<byte> payload)
        where T : unmanaged => WireFormat.TryRead(payload, out T value) ? value.ToString() ?? "" : "";

    private static string Data(ReadOnlySpan<byte> payload, int start)
    {
        if (payload.Length <= start)
            return "";
        ReadOnlySpan<byte> data = payload[start..];
        return " " + Convert.ToHexString(data[..Math.Min(data.Length, Shown)]) + (data.Length > Shown ? "..." : "");
    }
}
