using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace VfioUser.Protocol;

/// <summary>The JSON text of a version message, read and written key by key.</summary>
/// <remarks>
/// The first client of a process waits for this code, and the serializer's is generic: even a program that was compiled ahead compiles
/// hundreds of its methods then. It loads an assembly, too, which fails for good if the process has no free descriptor. What is not
/// exactly as known clients send it is left to the serializer, which is strict, and says what is wrong.
/// </remarks>
internal static class VersionText
{
    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = VersionMessage.MaxJsonDepth };

    /// <summary>Reads a text that has only known keys, each at most once, with values of their types.</summary>
    /// <returns>False for any other text, which may still be valid.</returns>
    public static bool TryRead(ReadOnlySpan<byte> text, [NotNullWhen(true)] out VersionJson? json)
    {
        json = new VersionJson();
        Utf8JsonReader reader = new(text, ReaderOptions);
        try
        {
            return reader.Read() && TryReadVersion(json, ref reader) && !reader.Read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false; // no JSON, or half a character in a key: the serializer says where
        }
    }

    /// <summary>The text for <paramref name="capabilities"/>, with the keys that are not null.</summary>
    public static ReadOnlySpan<byte> Write(CapabilitiesJson capabilities)
    {
        ArrayBufferWriter<byte> text = new(256);
        using Utf8JsonWriter writer = new(text);
        writer.WriteStartObject();
        writer.WritePropertyName("capabilities"u8);
        Write(writer, capabilities);
        writer.WriteEndObject();
        writer.Flush();
        return text.WrittenSpan;
    }

    /// <summary>Only the object with the keys that are not null, for people.</summary>
    public static string Describe(CapabilitiesJson capabilities)
    {
        ArrayBufferWriter<byte> text = new(256);
        using Utf8JsonWriter writer = new(text);
        Write(writer, capabilities);
        writer.Flush();
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    private static void Write(Utf8JsonWriter writer, CapabilitiesJson capabilities)
    {
        writer.WriteStartObject();
        if (capabilities.MaxMsgFds is { } fds)
            writer.WriteNumber("max_msg_fds"u8, fds);
        if (capabilities.MaxDataXferSize is { } transfer)
            writer.WriteNumber("max_data_xfer_size"u8, transfer);
        if (capabilities.MaxDmaMaps is { } maps)
            writer.WriteNumber("max_dma_maps"u8, maps);
        if (capabilities.Pgsizes is { } sizes)
            writer.WriteNumber("pgsizes"u8, sizes);
        if (capabilities.WriteMultiple is { } multiple)
            writer.WriteBoolean("write_multiple"u8, multiple);
        if (capabilities.TwinSocket is { } twin)
            Write(writer, twin);
        if (capabilities.Migration is { } migration)
            Write(writer, migration);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, TwinSocketJson twin)
    {
        writer.WriteStartObject("twin_socket"u8);
        if (twin.Supported is { } supported)
            writer.WriteBoolean("supported"u8, supported);
        if (twin.FdIndex is { } index)
            writer.WriteNumber("fd_index"u8, index);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, MigrationJson migration)
    {
        writer.WriteStartObject("migration"u8);
        if (migration.Pgsize is { } size)
            writer.WriteNumber("pgsize"u8, size);
        if (migration.MaxBitmapSize is { } bitmap)
            writer.WriteNumber("max_bitmap_size"u8, bitmap);
        writer.WriteEndObject();
    }

    // Each of these is false for a key that is unknown, there twice, or of another type.
    private static bool TryReadVersion(VersionJson json, ref Utf8JsonReader reader)
    {
        bool isKnown = reader.TokenType == JsonTokenType.StartObject;
        while (isKnown && TryNext(ref reader, out string? key))
        {
            isKnown = key is "capabilities" && json.Capabilities is null && reader.Read();
            if (isKnown)
                isKnown = TryRead(json.Capabilities = new CapabilitiesJson(), ref reader);
        }
        return isKnown;
    }

    private static bool TryRead(CapabilitiesJson json, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (TryNext(ref reader, out string? key))
        {
            switch (key)
            {
                case "max_msg_fds" when json.MaxMsgFds is null && TryRead(ref reader, out long fds):
                    json.MaxMsgFds = fds;
                    break;
                case "max_data_xfer_size" when json.MaxDataXferSize is null && TryRead(ref reader, out long transfer):
                    json.MaxDataXferSize = transfer;
                    break;
                case "max_dma_maps" when json.MaxDmaMaps is null && TryRead(ref reader, out long maps):
                    json.MaxDmaMaps = maps;
                    break;
                case "pgsizes" when json.Pgsizes is null && TryRead(ref reader, out ulong sizes):
                    json.Pgsizes = sizes;
                    break;
                case "write_multiple" when json.WriteMultiple is null && TryRead(ref reader, out bool multiple):
                    json.WriteMultiple = multiple;
                    break;
                case "twin_socket" when json.TwinSocket is null && reader.Read() && TryRead(json.TwinSocket = new TwinSocketJson(), ref reader):
                case "migration" when json.Migration is null && reader.Read() && TryRead(json.Migration = new MigrationJson(), ref reader):
                    break;
                default:
                    return false;
            }
        }
        return true;
    }

    private static bool TryRead(TwinSocketJson json, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (TryNext(ref reader, out string? key))
        {
            switch (key)
            {
                case "supported" when json.Supported is null && TryRead(ref reader, out bool supported):
                    json.Supported = supported;
                    break;
                case "fd_index" when json.FdIndex is null && TryRead(ref reader, out int index):
                    json.FdIndex = index;
                    break;
                default:
                    return false;
            }
        }
        return true;
    }

    private static bool TryRead(MigrationJson json, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (TryNext(ref reader, out string? key))
        {
            switch (key)
            {
                case "pgsize" when json.Pgsize is null && TryRead(ref reader, out ulong size):
                    json.Pgsize = size;
                    break;
                case "max_bitmap_size" when json.MaxBitmapSize is null && TryRead(ref reader, out ulong bitmap):
                    json.MaxBitmapSize = bitmap;
                    break;
                default:
                    return false;
            }
        }
        return true;
    }

    // False at the end of the object: what does not end, the reader throws for.
    private static bool TryNext(ref Utf8JsonReader reader, out string? key)
    {
        bool hasKey = reader.Read() && reader.TokenType == JsonTokenType.PropertyName;
        key = hasKey ? reader.GetString() : null;
        return hasKey;
    }

    private static bool TryRead(ref Utf8JsonReader reader, out long value)
    {
        value = 0;
        return IsNumber(ref reader) && reader.TryGetInt64(out value);
    }

    private static bool TryRead(ref Utf8JsonReader reader, out ulong value)
    {
        value = 0;
        return IsNumber(ref reader) && reader.TryGetUInt64(out value);
    }

    private static bool TryRead(ref Utf8JsonReader reader, out int value)
    {
        value = 0;
        return IsNumber(ref reader) && reader.TryGetInt32(out value);
    }

    private static bool TryRead(ref Utf8JsonReader reader, out bool value)
    {
        value = reader.Read() && reader.TokenType == JsonTokenType.True;
        return reader.TokenType is JsonTokenType.True or JsonTokenType.False;
    }

    private static bool IsNumber(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.Number;
}
