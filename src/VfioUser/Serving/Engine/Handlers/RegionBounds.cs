using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Checks region accesses of clients.</summary>
internal static class RegionBounds
{
    /// <summary>Whether the access lies in a region, and the migration state allows it. Outputs the region, or null for configuration
    /// space.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Contains(PciDevice device, in RegionAccess access, bool write, out Region? region)
    {
        region = device.RegionAt(access.Region);
        ulong size = SizeOf(device, access.Region, region);
        return access.Offset <= size && access.Count <= size - access.Offset && size != 0
            && (device.Migration is not { } migration || migration.AllowsAccess(access.Region, write));
    }

    /// <summary>What is wrong with an access for which <see cref="Contains"/> is false.</summary>
    public static Refusal Explain(PciDevice device, in RegionAccess access)
    {
        ulong size = SizeOf(device, access.Region, device.RegionAt(access.Region));
        if (size == 0)
            return Refusal.Invalid("the device has no region {0}", access.Region);
        if (access.Offset > size || access.Count > size - access.Offset)
            return Refusal.Invalid("{2} bytes at 0x{1:x} do not lie in region {0}", access.Region, access.Offset, access.Count);
        return Refusal.Invalid("region {0} cannot be accessed in migration state {1}", access.Region, (ulong)(device.Migration?.State ?? default));
    }

    /// <summary>The refusal of an access with more bytes than one message may have.</summary>
    public static Refusal TooMany(in RegionAccess access, int limit) =>
        Refusal.Invalid("{0} bytes exceed the limit of {1} for one message", access.Count, (ulong)limit);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SizeOf(PciDevice device, uint index, Region? region) =>
        (ulong)(region?.Size ?? (index == (uint)RegionIndex.Config ? device.Config.Size : 0));
}
