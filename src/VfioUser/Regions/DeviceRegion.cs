namespace VfioUser;

/// <summary>A device-specific region, beyond the nine of PCI. A client identifies it by type and subtype.</summary>
/// <remarks>Setup, except where noted. Spec: "Device-Specific Regions"; VFIO_REGION_INFO_CAP_TYPE of <c>linux/vfio.h</c>.</remarks>
public sealed class DeviceRegion : Region
{
    private const uint VendorTypeFlag = 1u << 31;

    internal DeviceRegion(PciDevice device, RegionIndex index, uint type, uint subtype, long size, bool writable, IRegionHandler? handler)
        : base(device, index, size, writable, handler)
    {
        Type = type;
        Subtype = subtype;
    }

    /// <summary>A VFIO_REGION_TYPE number, or <see cref="VendorType"/>.</summary>
    public uint Type { get; }

    /// <summary>A number within the type.</summary>
    public uint Subtype { get; }

    /// <summary>The type of a vendor's own regions.</summary>
    /// <param name="vendor">A PCI vendor ID.</param>
    /// <remarks>Source: <c>linux/vfio.h</c>, VFIO_REGION_TYPE_PCI_VENDOR_TYPE.</remarks>
    public static uint VendorType(ushort vendor) => VendorTypeFlag | vendor;
}
