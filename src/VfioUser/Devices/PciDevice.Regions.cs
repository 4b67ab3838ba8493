namespace VfioUser;

/// <content>Regions beyond the nine of PCI.</content>
public abstract partial class PciDevice
{
    /// <summary>Adds a device-specific region, which a client identifies by its type.</summary>
    /// <param name="type">A VFIO_REGION_TYPE number of <c>linux/vfio.h</c>, or <see cref="DeviceRegion.VendorType"/> of a PCI vendor.</param>
    /// <param name="subtype">A number within the type.</param>
    /// <param name="size">In bytes; any, even 0 for a region that only advertises its type.</param>
    /// <param name="handler">Handles accesses outside registers and memory; null reads as zeros and ignores writes.</param>
    /// <param name="writable">False for a read-only region: writes are refused.</param>
    /// <returns>The region. The first one has index 9, the next one 10, and so on.</returns>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. For use between device and client; guests do not see it. Spec: "Device-Specific Regions".</remarks>
    public DeviceRegion AddDeviceRegion(uint type, uint subtype, long size, IRegionHandler? handler = null, bool writable = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        ThrowIfServed();
        DeviceRegion region = new(this, (RegionIndex)_regions.Length, type, subtype, size, writable, handler);
        _regions = [.. _regions, region];
        return region;
    }
}
