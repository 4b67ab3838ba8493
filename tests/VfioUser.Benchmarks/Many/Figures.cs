using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>What a process takes up.</summary>
/// <param name="Resident">Bytes of memory that are there.</param>
/// <param name="Managed">Bytes of them on the managed heap.</param>
/// <param name="Threads">All of them, the runtime's too.</param>
/// <param name="Descriptors">All of them.</param>
internal sealed record Figures(long Resident, long Managed, int Threads, int Descriptors)
{
    /// <summary>Of this process, after a collection.</summary>
    public static Figures Now()
    {
        long managed = GC.GetTotalMemory(forceFullCollection: true);
        string resident = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return new Figures(
            1024 * long.Parse(resident.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture),
            managed,
            Directory.GetDirectories("/proc/self/task").Length,
            Directory.GetFileSystemEntries("/proc/self/fd").Length);
    }

    public static Figures Parse(string line)
    {
        long[] numbers = [.. line.Split(' ').Select(word => long.Parse(word, CultureInfo.InvariantCulture))];
        return new Figures(numbers[0], numbers[1], (int)numbers[2], (int)numbers[3]);
    }

    public string Format() => string.Create(CultureInfo.InvariantCulture, $"{Resident} {Managed} {Threads} {Descriptors}");
}
