using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>The names of a controller and its disks, made of the disks' identities.</summary>
internal static class DiskNames
{
    /// <summary>A serial number that no controller with another first disk has: 18 characters.</summary>
    public static string SerialNumberOf(Disk first) =>
        $"VU{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(first.Identity)), 0, 8)}";

    /// <summary>Names of disks, which stay with their bytes if the order changes.</summary>
    /// <param name="serialNumber">Of their controller.</param>
    /// <param name="disks">The disks, of which one may be there twice.</param>
    public static string[] Of(string serialNumber, IReadOnlyList<Disk> disks) =>
        [.. disks.Select((disk, i) => $"{serialNumber}/{disk.Identity}/{disks.Take(i).Count(other => string.Equals(other.Identity, disk.Identity, StringComparison.Ordinal))}")];
}
