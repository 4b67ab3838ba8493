using System.Text.Json;
using System.Text.Json.Serialization;

namespace VfioUser.Tool.Describing;

/// <summary>Makes JSON of a description without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DeviceDescription))]
internal sealed partial class DescriptionJson : JsonSerializerContext
{
    public static string Format(DeviceDescription device) => JsonSerializer.Serialize(device, Default.DeviceDescription);
}
