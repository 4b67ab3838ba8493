namespace VfioUser.Tool.Scratch;

/// <summary>Adds the capabilities of a description to configuration space.</summary>
internal static class CapabilityAdder
{
    public static void Add(ConfigSpace config, CapabilityFile file, string place)
    {
        int? offset = file.Offset is null ? null : (int)Describe.Below(file.Offset, 4096, $"{place}.offset");
        switch (file.Type)
        {
            case "powerManagement":
                config.AddPowerManagement(null, offset);
                break;
            case "pciExpress":
                config.AddPciExpress(null, offset);
                break;
            case "vendor":
                config.AddVendorSpecific(Describe.Bytes(file.Data, $"{place}.data"), offset: offset);
                break;
            case "serialNumber":
                config.AddDeviceSerialNumber(Describe.Below(file.Id, ulong.MaxValue, $"{place}.id"), offset);
                break;
            case "raw":
                config.AddCapability((byte)Describe.Below(file.Id, 256, $"{place}.id"), Describe.Bytes(file.Data, $"{place}.data"), offset: offset);
                break;
            case "rawExtended":
                config.AddExtendedCapability((ushort)Describe.Below(file.Id, 0x10000, $"{place}.id"), 1, Describe.Bytes(file.Data, $"{place}.data"), offset: offset);
                break;
            default:
                throw new ToolException($"{place}.type: '{file.Type}' is none of powerManagement, pciExpress, vendor, serialNumber, raw and rawExtended.");
        }
    }
}
