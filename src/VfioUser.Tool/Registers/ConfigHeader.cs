using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Registers;

/// <summary>The registers that the configuration space of every device has, as PCI names them. Immutable. Source: PCI Local Bus Specification
/// 3.0, 6.1; header type 0.</summary>
internal static class ConfigHeader
{
    /// <summary>By offset.</summary>
    public static RegisterNames Names { get; } = new(new MapDocument(1,
    [
        Of("VendorID", 0x00, 2),
        Of("DeviceID", 0x02, 2),
        Of("Command", 0x04, 2, ("IOSpace", 0, 1), ("MemorySpace", 1, 1), ("BusMaster", 2, 1), ("SpecialCycles", 3, 1), ("MWI", 4, 1), ("VGASnoop", 5, 1),
            ("ParityError", 6, 1), ("SERR", 8, 1), ("FastB2B", 9, 1), ("INTxDisable", 10, 1)),
        Of("Status", 0x06, 2, ("INTx", 3, 1), ("CapList", 4, 1), ("66MHz", 5, 1), ("FastB2B", 7, 1), ("MasterParityError", 8, 1), ("DEVSEL", 9, 2),
            ("SignalledTargetAbort", 11, 1), ("ReceivedTargetAbort", 12, 1), ("ReceivedMasterAbort", 13, 1), ("SignalledSERR", 14, 1), ("ParityError", 15, 1)),
        Of("RevisionID", 0x08, 1),
        Of("ProgIf", 0x09, 1),
        Of("SubClass", 0x0A, 1),
        Of("BaseClass", 0x0B, 1),
        Of("CacheLineSize", 0x0C, 1),
        Of("LatencyTimer", 0x0D, 1),
        Of("HeaderType", 0x0E, 1, ("MultiFunction", 7, 1)),
        Of("BIST", 0x0F, 1),
        .. Enumerable.Range(0, 6).Select(bar => Of(FormattableString.Invariant($"BAR{bar}"), 0x10 + 4 * (uint)bar, 4)),
        Of("CardbusCIS", 0x28, 4),
        Of("SubsystemVendorID", 0x2C, 2),
        Of("SubsystemID", 0x2E, 2),
        Of("ExpansionROM", 0x30, 4, ("Enable", 0, 1)),
        Of("CapabilitiesPointer", 0x34, 1),
        Of("InterruptLine", 0x3C, 1),
        Of("InterruptPin", 0x3D, 1),
        Of("MinGnt", 0x3E, 1),
        Of("MaxLat", 0x3F, 1),
    ], Omitted: null));

    private static MappedRegister Of(string name, uint offset, int width, params (string Name, int Bit, int Width)[] fields) =>
        new(name, RegionName.Config, offset, width, null, null, 0, 0, 0, 0, [.. fields.Select(field => new MappedField(field.Name, field.Bit, field.Width, null, null))]);
}
