using System.Text.Json;
using System.Text.Json.Serialization;

namespace VfioUser.Tool.Scratch;

/// <summary>The JSON description of a device; null for an absent property. Numbers may be strings with 0x.</summary>
internal sealed class DeviceFile
{
    public IdFile? Id { get; set; }

    public ulong? Class { get; set; }

    public List<BarFile>? Bars { get; set; }

    public IrqsFile? Irqs { get; set; }

    public List<CapabilityFile>? Capabilities { get; set; }

    public bool Migration { get; set; }
}

internal sealed class IdFile
{
    public ulong? Vendor { get; set; }

    public ulong? Device { get; set; }

    public ulong SubsystemVendor { get; set; }

    public ulong Subsystem { get; set; }

    public ulong Revision { get; set; }
}

internal sealed class BarFile
{
    public ulong? Number { get; set; }

    public string? Kind { get; set; }

    public ulong? Size { get; set; }

    public bool ReadOnly { get; set; }

    public List<AreaFile>? Mapped { get; set; }

    public List<AreaFile>? ReadOnlyAreas { get; set; }

    public List<ValueFile>? Values { get; set; }

    public List<DoorbellFile>? Doorbells { get; set; }
}

internal sealed class AreaFile
{
    public ulong? Offset { get; set; }

    public ulong? Size { get; set; }
}

internal sealed class ValueFile
{
    public ulong? Offset { get; set; }

    public ulong Width { get; set; } = 4;

    public ulong? Value { get; set; }

    public string? Bytes { get; set; }
}

internal sealed class DoorbellFile
{
    public ulong? Offset { get; set; }

    public DmaFile? Dma { get; set; }

    public string? Irq { get; set; }

    public ulong Vector { get; set; }
}

internal sealed class DmaFile
{
    public string? Direction { get; set; }

    public ulong? Address { get; set; }

    public ulong? Length { get; set; }

    public ulong? Buffer { get; set; }

    public ulong? Status { get; set; }
}

internal sealed class IrqsFile
{
    public bool Intx { get; set; }

    public MsiFile? Msi { get; set; }

    public MsixFile? Msix { get; set; }
}

internal sealed class MsiFile
{
    public ulong Vectors { get; set; } = 1;
}

internal sealed class MsixFile
{
    public ulong? Bar { get; set; }

    public ulong Offset { get; set; }

    public ulong Vectors { get; set; } = 1;
}

internal sealed class CapabilityFile
{
    public string? Type { get; set; }

    public ulong? Id { get; set; }

    public string? Data { get; set; }

    public ulong? Offset { get; set; }
}

/// <summary>Reads descriptions without reflection, strictly: an unknown property is an error.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    AllowDuplicateProperties = false,
    Converters = [typeof(NumberConverter)])]
[JsonSerializable(typeof(DeviceFile))]
internal sealed partial class DeviceFileJson : JsonSerializerContext;
