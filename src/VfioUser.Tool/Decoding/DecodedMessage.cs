using VfioUser.Protocol;
using VfioUser.Tool.Registers;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Decoding;

/// <summary>A decoded message. Immutable.</summary>
/// <param name="Header">Null for bytes that are no whole message.</param>
/// <param name="Fields">Its decoded fields.</param>
/// <param name="Problem">The reason if it is malformed, or null.</param>
/// <param name="Start">Its first bytes in hexadecimal, if it is malformed.</param>
/// <param name="Latency">Of a reply: the time since its request.</param>
internal sealed record DecodedMessage(MessageHeader? Header, IReadOnlyList<Field> Fields, string? Problem, string? Start, TimeSpan? Latency)
{
    private const int ShownOfMalformed = 32;

    public static DecodedMessage Of(in TracedMessage message, int dataLimit, Outstanding outstanding, RegisterNames? names = null)
    {
        Fields fields = new(dataLimit, names);
        string start = Decoding.Fields.HexOf(message.Bytes, ShownOfMalformed);
        if (!message.IsWhole || !WireFormat.TryRead(message.Bytes, out MessageHeader header))
            return new DecodedMessage(null, [], $"{message.Bytes.Length} bytes that are no whole message", start, null);
        TimeSpan? latency = outstanding.Note(header, message);
        if (header is { IsCommand: false, IsReply: false })
            fields.Malformed("neither command nor reply");
        else if (!header.IsError)
            PayloadDecoder.Decode(header, message.Bytes[MessageHeader.WireSize..], fields);
        return new DecodedMessage(header, fields.All, fields.Problem, fields.Problem is null ? null : start, latency);
    }

    /// <summary>The name of an error, or its number.</summary>
    public static string ErrnoName(uint error) => ((Errno)error).ToString();
}
