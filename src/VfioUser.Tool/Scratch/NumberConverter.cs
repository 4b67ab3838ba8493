using System.Text.Json;
using System.Text.Json.Serialization;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Scratch;

/// <summary>Reads JSON numbers, and strings with decimal or hexadecimal numbers.</summary>
internal sealed class NumberConverter : JsonConverter<ulong>
{
    public override ulong Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.Number && reader.TryGetUInt64(out ulong number))
            return number;
        if (reader.TokenType == JsonTokenType.String && Numbers.TryParse(reader.GetString()!, out number))
            return number;
        throw new JsonException("this is no number; write 4096 or \"0x1000\"");
    }

    public override void Write(Utf8JsonWriter writer, ulong value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}
