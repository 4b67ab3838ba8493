namespace VfioUser.Tool.Scratch;

/// <summary>Adds the capabilities of a description to configuration space.</summary>
internal static class CapabilityAdder
{
    public static void Add(ConfigSpace config, CapabilityFile file, string path)
    {
        int? offset = file.Offset is null ? null : (int)Describe.Below(file.Offset, 4096, $"{path}.offset");
        switch (file.Type)
        {
            case "powerManagement":
                config.AddPowerManagement(null, offset);
                break;
            case "pciExpress":
                config.AddPciExpress(null, offset);
                break;
            case "vendor":
                config.AddVendorSpecific(Describe.Bytes(file.Data, $"{path}.data"), offset: offset);
                break;
            case "serialNumber":
                config.AddDeviceSerialNumber(Describe.Below(file.Id, ulong.MaxValue, $"{path}.id"), offset);
                break;
            case "raw":
                config.AddCapability((byte)Describe.Below(file.Id, 256, $"{path}.id"), Describe.Bytes(file.Data, $"{path}.data"), offset: offset);
                break;
            case "rawExtended":
                config.AddExtendedCapability((ushort)Describe.Below(file.Id, 0x10000, $"{path}.id"), 1, Describe.Bytes(file.Data, $"{path}.data"), offset: offset);
                break;
            default:
                throw new ToolException($"{path}.type: '{file.Type}' is none of powerManagement, pciExpress, vendor, serialNumber, raw and rawExtended.");
        }
    }
}
