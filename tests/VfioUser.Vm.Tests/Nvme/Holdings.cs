using System.Diagnostics;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>What this process holds.</summary>
/// <param name="Descriptors">Open ones.</param>
/// <param name="GuestMappings">Pieces of guest memory that are mapped.</param>
internal readonly record struct Holdings(int Descriptors, int GuestMappings)
{
    /// <summary>Private memory that is in use after a collection, in bytes.</summary>
    public static long Memory
    {
        get
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            using var self = Process.GetCurrentProcess();
            return self.WorkingSet64 - File.ReadLines("/proc/self/status")
                .Where(line => line.StartsWith("RssShmem:", StringComparison.Ordinal))
                .Sum(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture) << 10);
        }
    }

    public static Holdings Count() => new(
        Directory.GetFiles("/proc/self/fd").Length,
        File.ReadLines("/proc/self/maps").Count(line => line.Contains("/memfd:memory-backend-memfd", StringComparison.Ordinal)));
}
