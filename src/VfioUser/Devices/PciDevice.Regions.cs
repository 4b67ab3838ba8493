namespace VfioUser;

/// <content>Regions beyond the nine of PCI.</content>
public abstract partial class PciDevice
{
    /// <summary>Adds a region of the device's own, which a client tells by its type.</summary>
    /// <param name="type">A VFIO_REGION_TYPE number of <c>linux/vfio.h</c>, or <see cref="DeviceRegion.VendorType"/> of a PCI vendor.</param>
    /// <param name="subtype">A number within the type.</param>
    /// <param name="size">In bytes; any, even 0 for a region that only says that it exists.</param>
    /// <param name="handler">Answers what is neither register nor memory; null reads as zeros and ignores writes.</param>
    /// <param name="writable">False for one that the client only reads: a write is refused.</param>
    /// <returns>The region. Its index is 9 for the first one, and one more for each that follows.</returns>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. Guests never see it; what it is for is between device and client. Spec: "Device-Specific Regions".</remarks>
    protected DeviceRegion AddDeviceRegion(uint type, uint subtype, ulong size, IRegionHandler? handler = null, bool writable = true)
    {
        ThrowIfServed();
        DeviceRegion region = new(this, (PciRegion)_regions.Length, type, subtype, size, writable, handler);
        _regions = [.. _regions, region];
        return region;
    }
}
