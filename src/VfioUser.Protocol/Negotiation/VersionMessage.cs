using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Unicode;
using static System.FormattableString;

namespace VfioUser.Protocol;

/// <summary>Reads and writes the payload of a version message: two numbers, then optionally JSON and a NUL.</summary>
/// <remarks>
/// Any thread. Spec: VFIO_USER_VERSION. Proposal and reply have the same form. Unknown keys are ignored at any level;
/// whatever else differs from the specification is refused with EINVAL, nothing is guessed.
/// </remarks>
[Experimental(Experiments.Transport)]
public static class VersionMessage
{
    /// <summary>Levels of objects and arrays that the JSON text may have, unknown keys included; the specified ones need 3.</summary>
    public const int MaxJsonDepth = 16;

    private const int MaxReason = 120;

    private static readonly SearchValues<char> PathCharacters = SearchValues.Create("$._abcdefghijklmnopqrstuvwxyz");

    private static ReadOnlySpan<byte> RefusalStart => "{\"error\":\""u8;

    private static ReadOnlySpan<byte> RefusalEnd => "\"}\0"u8;

    /// <summary>Reads a payload.</summary>
    /// <param name="payload">All bytes after the message header.</param>
    /// <param name="version">The version, as far as there are enough bytes.</param>
    /// <param name="capabilities">What the sender said, or <see cref="Capabilities.Unspecified"/> if nothing, or on failure.</param>
    /// <param name="problem">Why it was refused, for the log; null on success. Quotes no text of the sender's except keys in lower-case
    /// letters.</param>
    /// <returns><see cref="Errno.None"/>, or <see cref="Errno.EINVAL"/>. Nothing is thrown, whatever the bytes.</returns>
    public static Errno TryParse(
        ReadOnlySpan<byte> payload, out ProtocolVersion version, out Capabilities capabilities, out string? problem)
    {
        capabilities = Capabilities.Unspecified;
        problem = null;
        if (!WireFormat.TryRead(payload, out version))
            problem = Invariant($"the version message has {payload.Length} bytes, fewer than its two numbers take");
        else if (payload.Length > ProtocolVersion.WireSize)
            problem = ReadText(payload[ProtocolVersion.WireSize..], ref capabilities);
        return problem is null ? Errno.None : Errno.EINVAL;
    }

    /// <summary>Makes a payload.</summary>
    /// <param name="version">Proposed, or agreed.</param>
    /// <param name="capabilities">Its present keys are written. There is always a capabilities object, as some clients need one.</param>
    /// <returns>All bytes that go after the message header.</returns>
    public static byte[] Format(ProtocolVersion version, Capabilities capabilities)
    {
        ArgumentNullException.ThrowIfNull(capabilities);
        ReadOnlySpan<byte> text = VersionText.Write(CapabilitiesMapping.ToJson(capabilities));
        byte[] payload = new byte[ProtocolVersion.WireSize + text.Length + 1];
        WireFormat.Write(payload, version);
        text.CopyTo(payload.AsSpan(ProtocolVersion.WireSize));
        return payload;
    }

    /// <summary>Makes the payload of a refusal, with the reason under the key <c>error</c>.</summary>
    /// <remarks>The Rust crate's client ignores the Error bit: without a payload it waits for one, and this one it reports as invalid,
    /// because <c>capabilities</c> is missing. QEMU accepts no more bytes than it proposed, about 200.</remarks>
    internal static byte[] FormatRefusal(string reason)
    {
        JsonEncodedText text = JsonEncodedText.Encode(reason);
        for (int length = Math.Min(reason.Length, MaxReason); text.EncodedUtf8Bytes.Length > MaxReason; length--)
            text = JsonEncodedText.Encode(reason[..length]);
        byte[] payload = new byte[ProtocolVersion.WireSize + RefusalStart.Length + text.EncodedUtf8Bytes.Length + RefusalEnd.Length];
        WireFormat.Write(payload, Negotiator.Version);
        Span<byte> rest = payload.AsSpan(ProtocolVersion.WireSize);
        RefusalStart.CopyTo(rest);
        text.EncodedUtf8Bytes.CopyTo(rest[RefusalStart.Length..]);
        RefusalEnd.CopyTo(rest[^RefusalEnd.Length..]);
        return payload;
    }

    /// <summary>The JSON of a message with these capabilities, for the log.</summary>
    internal static string TextOf(Capabilities capabilities) => VersionText.Describe(CapabilitiesMapping.ToJson(capabilities));

    /// <summary>The reason in a refusal's payload; null if there is none, or none that is safe to show.</summary>
    internal static string? ReasonOf(ReadOnlySpan<byte> payload)
    {
        const int MaxShown = 256;
        if (payload.Length <= ProtocolVersion.WireSize || payload.Length > ProtocolLimits.MaxVersionDataSize)
            return null;
        try
        {
            ReadOnlySpan<byte> text = payload[ProtocolVersion.WireSize..].TrimEnd((byte)0);
            string? reason = JsonSerializer.Deserialize(text, VersionJsonContext.Default.RefusalJson)?.Error;
            // terminals show it, and a control character can be the start of an escape sequence
            return reason is { Length: > 0 and <= MaxShown } && !reason.Any(char.IsControl) ? reason : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? ReadText(ReadOnlySpan<byte> data, ref Capabilities capabilities)
    {
        if (data.Length > ProtocolLimits.MaxVersionDataSize)
            return Invariant($"the version data has {data.Length} bytes, more than {ProtocolLimits.MaxVersionDataSize}");
        int end = data.IndexOf((byte)0);
        if (end < 0)
            return "the version data does not end in a NUL";
        if (end != data.Length - 1)
            return Invariant($"the version data goes on for {data.Length - 1 - end} bytes after its NUL");
        ReadOnlySpan<byte> text = data[..end];
        if (!Utf8.IsValid(text))
            return "the version data is not UTF-8";

        if (!VersionText.TryRead(text, out VersionJson? json))
        {
            try
            {
                json = JsonSerializer.Deserialize(text, VersionJsonContext.Default.VersionJson);
            }
            catch (JsonException e)
            {
                return Describe(e);
            }
        }

        if (json is null)
            return "the version data is null and not an object";
        return json.Capabilities is null ? null : CapabilitiesMapping.TryFromJson(json.Capabilities, out capabilities);
    }

    // The path may quote keys of the sender's, and the message quotes more. Only a path of harmless characters goes into the log.
    private static string Describe(JsonException e)
    {
        string place = e.Path is { Length: > 0 and <= 64 } path && !path.AsSpan().ContainsAnyExcept(PathCharacters)
            ? path
            : "an unknown key";
        return Invariant($"the version data is not the JSON that it should be, at {place}, byte {e.BytePositionInLine ?? 0}");
    }
}
