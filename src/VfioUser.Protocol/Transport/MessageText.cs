using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace VfioUser.Protocol;

/// <summary>Formats messages as one line of text each, for logs and traces.</summary>
[Experimental(Experiments.Transport)]
public static class MessageText
{
    // bytes of data to show
    private const int Shown = 16;

    /// <summary>Describes a message: command, message ID, the fields of its payload, the number of its descriptors.</summary>
    public static string Describe(in ReceivedMessage message) =>
        Describe(message.Header, message.Payload, message.FdCount);

    /// <summary>Describes a message.</summary>
    /// <param name="header">Its header.</param>
    /// <param name="payload">Its payload.</param>
    /// <param name="fdCount">Number of its descriptors.</param>
    public static string Describe(in MessageHeader header, ReadOnlySpan<byte> payload, int fdCount)
    {
        string kind = header.IsReply ? "reply" : header.NoReply ? "posted" : "command";
        string error = header.IsError ? $" error {(Errno)header.Error}" : "";
        string fds = fdCount == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" +{fdCount} fd");
        return string.Create(CultureInfo.InvariantCulture,
            $"{header.Command} #{header.MessageId} {kind}, {header.MessageSize} bytes{error}{fds} {Payload(header, payload)}").TrimEnd();
    }

    /// <summary>Traces each of the messages that are sent together.</summary>
    internal static void TraceSent(IMessageTrace trace, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, int fdCount)
    {
        Span<byte> joined = stackalloc byte[2 * Shown];
        while (WireFormat.TryRead(head, out MessageHeader header))
        {
            int length = (int)Math.Min(header.MessageSize, (uint)head.Length);
            scoped ReadOnlySpan<byte> payload = head[MessageHeader.WireSize..length];
            head = head[length..];
            // the data of a single message may be in the tail: join the two if the first part is short
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

    private static string Payload(in MessageHeader header, ReadOnlySpan<byte> payload)
    {
        if (ProtocolCommands.Find(header.Command)?.Payload(header.IsReply) is not { } info)
            return "";
        return info.HasData ? info.Describe(payload) + Data(payload, info.Size) : info.Describe(payload);
    }

    private static string Data(ReadOnlySpan<byte> payload, int start)
    {
        if (payload.Length <= start)
            return "";
        ReadOnlySpan<byte> data = payload[start..];
        return " " + Convert.ToHexString(data[..Math.Min(data.Length, Shown)]) + (data.Length > Shown ? "..." : "");
    }
}
