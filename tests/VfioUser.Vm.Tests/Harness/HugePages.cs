using System.Globalization;

namespace VfioUser.Vm.Tests.Harness;

/// <summary>The host's huge pages of 2 MiB.</summary>
internal static class HugePages
{
    private const long PageSize = 2 << 20;

    /// <summary>Whether there are enough that nobody uses.</summary>
    public static bool Have(long bytes) => Read("free_hugepages") - Read("resv_hugepages") >= bytes / PageSize;

    private static long Read(string name)
    {
        string path = $"/sys/kernel/mm/hugepages/hugepages-2048kB/{name}";
        return File.Exists(path) ? long.Parse(File.ReadAllText(path), CultureInfo.InvariantCulture) : 0;
    }
}
