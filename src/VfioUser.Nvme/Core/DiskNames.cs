using System.Security.Cryptography;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>The names of a controller and its disks, made of the disks' identities.</summary>
internal static class DiskNames
{
    /// <summary>A serial number that no controller with another first disk has: 18 characters.</summary>
    public static string SerialNumberOf(string identity) =>
        $"VU{Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(identity)), 0, 8)}";

    /// <summary>The name of a disk, which stays with its bytes whatever its number is.</summary>
    /// <param name="serialNumber">Of its controller.</param>
    /// <param name="disk">The disk.</param>
    /// <param name="copy">0, and more if the disk is there more than once.</param>
    public static string Of(string serialNumber, Disk disk, int copy) => $"{serialNumber}/{disk.Identity}/{copy}";

    /// <summary>A name of the disk that no namespace has.</summary>
    public static string Of(string serialNumber, Disk disk, IEnumerable<SharedNamespace> others)
    {
        HashSet<string> taken = [.. others.Select(other => other.Name)];
        int copy = 0;
        while (taken.Contains(Of(serialNumber, disk, copy)))
            copy++;
        return Of(serialNumber, disk, copy);
    }
}
