using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace VfioUser.Protocol;

/// <summary>The JSON text of a version message as the serializer sees it; snake case turns the names into the wire's.</summary>
/// <remarks>
/// Null stands for an absent key. A JSON null is not the same, it is a wrong type: hence <see cref="DisallowNullAttribute"/>,
/// which the serializer respects. Setters instead of init, because generated code always assigns an init property, if only null.
/// </remarks>
internal sealed class VersionJson
{
    [DisallowNull]
    public CapabilitiesJson? Capabilities { get; set; }
}

/// <summary>Payload of a refused version message: the reason. Not in the specification, whose error replies have no payload.</summary>
internal sealed class RefusalJson
{
    public string? Error { get; set; }
}

/// <inheritdoc cref="VersionJson"/>
internal sealed class CapabilitiesJson
{
    [DisallowNull]
    public long? MaxMsgFds { get; set; }

    [DisallowNull]
    public long? MaxDataXferSize { get; set; }

    [DisallowNull]
    public long? MaxDmaMaps { get; set; }

    [DisallowNull]
    public ulong? Pgsizes { get; set; }

    [DisallowNull]
    public bool? WriteMultiple { get; set; }

    [DisallowNull]
    public TwinSocketJson? TwinSocket { get; set; }

    [DisallowNull]
    public MigrationJson? Migration { get; set; }
}

/// <inheritdoc cref="VersionJson"/>
internal sealed class TwinSocketJson
{
    [DisallowNull]
    public bool? Supported { get; set; }

    [DisallowNull]
    public int? FdIndex { get; set; }
}

/// <inheritdoc cref="VersionJson"/>
internal sealed class MigrationJson
{
    [DisallowNull]
    public ulong? Pgsize { get; set; }

    [DisallowNull]
    public ulong? MaxBitmapSize { get; set; }
}

/// <summary>Strict about the keys it knows; it skips others.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.Strict,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    MaxDepth = VersionMessage.MaxJsonDepth)]
[JsonSerializable(typeof(VersionJson))]
[JsonSerializable(typeof(RefusalJson))]
internal sealed partial class VersionJsonContext : JsonSerializerContext;
