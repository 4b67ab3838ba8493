using System.Text.Json;
using System.Text.Json.Serialization;

namespace VfioUser.Tool.Registers;

/// <summary>Reads and makes JSON of registers without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MapDocument))]
[JsonSerializable(typeof(RegisterValue))]
internal sealed partial class MapJson : JsonSerializerContext
{
    /// <exception cref="JsonException">It is not a register map.</exception>
    public static MapDocument? Parse(ReadOnlySpan<byte> json) => JsonSerializer.Deserialize(json, Default.MapDocument);

    public static string Format(RegisterValue value) => JsonSerializer.Serialize(value, Default.RegisterValue);
}
