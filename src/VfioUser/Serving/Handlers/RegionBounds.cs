using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The one place where an access that a client asks for is held against the device's regions.</summary>
internal static class RegionBounds
{
    /// <summary>Whether every byte of the access lies in a region that can be read now, or written. That region, or null for the configuration space.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Contains(PciDevice device, in RegionAccess access, bool write, out Region? region)
    {
        region = device.RegionAt(access.Region);
        ulong size = SizeOf(device, access.Region, region);
        return access.Offset <= size && access.Count <= size - access.Offset && size != 0
            && (device.Migration is not { } migration || migration.AllowsAccess(access.Region, write));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SizeOf(PciDevice device, uint index, Region? region) =>
        region?.Size ?? (index == (uint)PciRegion.Config ? (ulong)device.Config.Size : 0);
}
