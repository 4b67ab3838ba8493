namespace VfioUser;

/// <summary>A region of the device's own, beyond the nine of PCI. A client tells what it is by type and subtype.</summary>
/// <remarks>Setup for all that describes it. Spec: "Device-Specific Regions"; VFIO_REGION_INFO_CAP_TYPE of <c>linux/vfio.h</c>.</remarks>
public sealed class DeviceRegion : Region
{
    private const uint VendorTypeFlag = 1u << 31;

    internal DeviceRegion(PciDevice device, PciRegion index, uint type, uint subtype, ulong size, bool writable, IRegionHandler? handler)
        : base(device, index, size, writable, handler)
    {
        Type = type;
        Subtype = subtype;
    }

    /// <summary>What kind of region it is: a VFIO_REGION_TYPE number, or <see cref="VendorType"/>.</summary>
    public uint Type { get; }

    /// <summary>A number within the type.</summary>
    public uint Subtype { get; }

    /// <summary>The type under which a vendor numbers its own regions.</summary>
    /// <param name="vendor">A PCI vendor id.</param>
    /// <remarks>Source: <c>linux/vfio.h</c>, VFIO_REGION_TYPE_PCI_VENDOR_TYPE.</remarks>
    public static uint VendorType(ushort vendor) => VendorTypeFlag | vendor;
}
