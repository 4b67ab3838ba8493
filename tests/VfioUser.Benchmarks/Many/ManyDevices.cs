using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>What many attached devices cost, and how soon one of them answers while the others are idle or busy.</summary>
internal static class ManyDevices
{
    private const int ServerCore = 0;
    private const int ClientCore = 1;
    private const int SharedThreads = 1; // one for each core of the server
    private const int MaxBusy = 500;
    private const int WarmUp = 500;
    private const int Reads = 5000;
    // where a core has too much to do, fewer reads must be enough
    private static readonly TimeSpan LongEnough = TimeSpan.FromSeconds(4);
    private static readonly int[] OwnCounts = [1, 10, 100, 500];
    private static readonly int[] SharedCounts = [1, 10, 100, 500, 5000];

    public static int RunPinned(string[] words)
    {
        using Process process = Process.Start("taskset", ["-c", ClientCore.ToString(CultureInfo.InvariantCulture), Environment.ProcessPath!, "measure-many", .. words]);
        process.WaitForExit();
        return process.ExitCode;
    }

    /// <param name="words">Numbers of devices, <c>own</c>, <c>shared</c>; none for all.</param>
    public static int Measure(string[] words)
    {
        Console.WriteLine($"Devices on core {ServerCore}, clients on core {ClientCore}; up to {Reads} reads of a register each. Per device: what came on top of a process that has served one.");
        Console.WriteLine();
        Console.WriteLine("| devices | threads for them | attach storm, each | managed, each | resident, each | threads | descriptors, each | idle: median | p99 | busy | busy: median | p99 | p99 / median |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        int[] chosen = [.. words.Where(word => char.IsAsciiDigit(word[0])).Select(word => int.Parse(word, CultureInfo.InvariantCulture))];
        foreach ((string word, int threads, int[] counts) in (ReadOnlySpan<(string, int, int[])>)[("own", 0, OwnCounts), ("shared", SharedThreads, SharedCounts)])
        {
            if (words.Any(other => other is "own" or "shared") && !words.Contains(word))
                continue;
            foreach (int count in chosen.Length == 0 ? counts : chosen)
                Measure(count, threads);
        }
        return 0;
    }

    private static void Measure(int count, int threads)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-many-");
        try
        {
            using Child server = new(ServerCore, "devices", folder.FullName, threads.ToString(CultureInfo.InvariantCulture));
            server.Ask("add 1");
            using (ManyClient first = new(DevicesProcess.PathOf(folder.FullName, 0)))
                Read(first, WarmUp);
            Figures before = Figures.Parse(server.Ask("clear"));
            server.Ask($"add {count}");
            // the one that is measured came first, so the others are from 2 on
            using ManyClient client = new(DevicesProcess.PathOf(folder.FullName, 1));
            int busyCount = Math.Min(count - 1, MaxBusy);
            using Child hammer = new(ClientCore, "hammer", folder.FullName, "2", $"{count - 1}", $"{busyCount}");
            double storm = double.Parse(hammer.Hear(), CultureInfo.InvariantCulture);
            Read(client, WarmUp);
            Figures after = Figures.Parse(server.Ask("look"));
            double[] idle = Read(client, Reads);
            hammer.Ask("begin");
            double[] busy = count == 1 ? [] : Read(client, Reads);
            Print(count, threads, storm, before, after, idle, busyCount, busy);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // microseconds, sorted
    private static double[] Read(ManyClient client, int times)
    {
        List<double> taken = new(times);
        long begin = Stopwatch.GetTimestamp();
        while (taken.Count < times && Stopwatch.GetElapsedTime(begin) < LongEnough)
        {
            long start = Stopwatch.GetTimestamp();
            client.Ask();
            client.Hear();
            taken.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }
        return [.. taken.Order()];
    }

    private static void Print(int count, int threads, double storm, Figures before, Figures after, double[] idle, int busyCount, double[] busy)
    {
        string each = threads == 0 ? "one each" : threads.ToString(CultureInfo.InvariantCulture);
        string attach = count == 1 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{1000 * storm / (count - 1):F0} µs");
        string ratio = busy.Length == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{Quantile(busy, 0.99) / Quantile(busy, 0.5):F1}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {count} | {each} | {attach} | {PerDevice(after.Managed - before.Managed, count)} | {PerDevice(after.Resident - before.Resident, count)} | {after.Threads} " +
            $"| {(double)(after.Descriptors - before.Descriptors) / count:F1} | {At(idle, 0.5)} | {At(idle, 0.99)} | {busyCount} | {At(busy, 0.5)} | {At(busy, 0.99)} | {ratio} |"));
    }

    private static string PerDevice(long bytes, int count) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0 / count:F1} KiB");

    private static string At(double[] sorted, double quantile) =>
        sorted.Length == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{Quantile(sorted, quantile):F1} µs");

    private static double Quantile(double[] sorted, double quantile) => sorted[(int)(quantile * sorted.Length)];
}
