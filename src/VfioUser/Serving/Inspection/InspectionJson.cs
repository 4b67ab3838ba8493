using System.Text.Json.Serialization;

namespace VfioUser;

/// <summary>Reads and writes the lines without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(InspectionRequest))]
[JsonSerializable(typeof(InspectionAnswer))]
internal sealed partial class InspectionJson : JsonSerializerContext;
