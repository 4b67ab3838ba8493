using System.Text.Json.Serialization;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Describing;

/// <summary>A server's description of itself and its device; also the schema of <c>info --json</c>. Immutable.</summary>
internal sealed record DeviceDescription(NegotiationDescription Negotiation, IReadOnlyList<string> Flags, PciDescription? Pci,
    IReadOnlyList<string> Migration, IReadOnlyList<RegionDescription> Regions, IReadOnlyList<IrqDescription> Irqs)
{
    /// <summary>With <c>--registers</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<MappedRegister>? Registers { get; init; }

    /// <summary>Number of registers that the server's map omits.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RegistersOmitted { get; init; }
}

/// <summary>The result of negotiation. Sizes in bytes.</summary>
internal sealed record NegotiationDescription(string Version, int MaxMsgFds, long MaxDataXferSize, long MaxDmaMaps, ulong Pgsizes,
    bool WriteMultiple, bool TwinSocket);

/// <summary>IDs and class code from configuration space, in hexadecimal.</summary>
internal sealed record PciDescription(string Vendor, string Device, string SubsystemVendor, string Subsystem, string ClassCode, string Revision);

/// <summary>A region with bytes or a type. Sizes and offsets in bytes.</summary>
internal sealed record RegionDescription(uint Index, string Name, ulong Size, IReadOnlyList<string> Flags, ulong FileOffset,
    bool HasDescriptor, IReadOnlyList<CapabilityDescription> Capabilities)
{
    /// <summary>Of a BAR: I/O or memory, as its register in configuration space says. Null for another region.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Kind { get; init; }
}

/// <summary>A region's capability.</summary>
internal sealed record CapabilityDescription(string Name, int Version, IReadOnlyList<AreaDescription> Areas, string? Type);

/// <summary>A mappable area of a region, in bytes.</summary>
internal sealed record AreaDescription(ulong Offset, ulong Size);

/// <summary>An interrupt type.</summary>
internal sealed record IrqDescription(uint Index, string Name, uint Count, IReadOnlyList<string> Flags);
