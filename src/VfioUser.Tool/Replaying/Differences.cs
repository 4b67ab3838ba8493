using System.Globalization;
using VfioUser.Protocol;
using VfioUser.Tool.Decoding;
using VfioUser.Tool.Recording;

namespace VfioUser.Tool.Replaying;

/// <summary>Compares two messages, except for their ids.</summary>
internal static class Differences
{
    private const int Shown = 16;

    /// <returns>The first difference; null when they are the same.</returns>
    public static string? Between(Recorded recorded, Recorded now)
    {
        MessageHeader before = recorded.Header;
        MessageHeader after = now.Header;
        if (before.Command != after.Command)
            return $"recorded {before.Command}, now {after.Command}";
        if (before.IsError != after.IsError || (before.IsError && before.Error != after.Error))
            return $"recorded {Outcome(before)}, now {Outcome(after)}";
        if (before.Flags != after.Flags)
            return $"recorded flags {before.Flags}, now {after.Flags}";
        if (!recorded.Fds.SequenceEqual(now.Fds))
            return $"recorded descriptors [{string.Join(", ", recorded.Fds)}], now [{string.Join(", ", now.Fds)}]";
        int same = recorded.Payload.CommonPrefixLength(now.Payload);
        if (same < Math.Min(recorded.Payload.Length, now.Payload.Length))
        {
            return string.Create(CultureInfo.InvariantCulture,
                $"from byte {same} of the payload on recorded {Fields.HexOf(recorded.Payload[same..], Shown)}, now {Fields.HexOf(now.Payload[same..], Shown)}");
        }
        return recorded.Payload.Length == now.Payload.Length ? null : $"recorded {recorded.Payload.Length} bytes of payload, now {now.Payload.Length}";
    }

    /// <summary>A short name of a message: command, id and its first fields.</summary>
    public static string Name(Recorded message)
    {
        Fields fields = new(dataLimit: 0);
        MessageHeader header = message.Header;
        if (!header.IsError)
            PayloadDecoder.Decode(header, message.Payload, fields);
        IEnumerable<string> said = fields.All.Take(3).Select(field => $"{field.Name} {field.Text}");
        return string.Create(CultureInfo.InvariantCulture, $"{header.Command} #{header.MessageId} ({string.Join(", ", said)})").Replace(" ()", "", StringComparison.Ordinal);
    }

    private static string Outcome(in MessageHeader header) => header.IsError ? DecodedMessage.ErrnoName(header.Error) : "success";
}
