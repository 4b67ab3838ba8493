using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>What many attached devices cost, and how soon one of them answers while the others are idle or busy.</summary>
internal static class ManyDevices
{
    private const int ServerCore = 0;
    private const int ClientCore = 1;
    private const int SharedThreads = 2;
    private const int WarmUp = 500;
    private const int Reads = 5000;
    // where a core has too much to do, fewer reads must be enough
    private static readonly TimeSpan LongEnough = TimeSpan.FromSeconds(4);
    private static readonly int[] Counts = [1, 10, 100, 500];

    public static int RunPinned()
    {
        using Process process = Process.Start("taskset", ["-c", ClientCore.ToString(CultureInfo.InvariantCulture), Environment.ProcessPath!, "measure-many"]);
        process.WaitForExit();
        return process.ExitCode;
    }

    public static int Measure()
    {
        Console.WriteLine($"Devices on core {ServerCore}, clients on core {ClientCore}; up to {Reads} reads of a register each. Per device: what came on top of a process that has served one.");
        Console.WriteLine();
        Console.WriteLine("| devices | threads for them | managed, each | resident, each | threads | descriptors, each | idle: median | p99 | busy: median | p99 |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
        foreach (int threads in (ReadOnlySpan<int>)[0, SharedThreads])
        {
            foreach (int count in Counts)
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
            using Child hammer = new(ClientCore, "hammer", folder.FullName, "2", (count - 1).ToString(CultureInfo.InvariantCulture));
            hammer.Hear();
            Read(client, WarmUp);
            Figures after = Figures.Parse(server.Ask("look"));
            double[] idle = Read(client, Reads);
            hammer.Ask("begin");
            double[] busy = count == 1 ? [] : Read(client, Reads);
            Print(count, threads, before, after, idle, busy);
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

    private static void Print(int count, int threads, Figures before, Figures after, double[] idle, double[] busy)
    {
        string each = threads == 0 ? "one each" : threads.ToString(CultureInfo.InvariantCulture);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {count} | {each} | {PerDevice(after.Managed - before.Managed, count)} | {PerDevice(after.Resident - before.Resident, count)} | {after.Threads} " +
            $"| {(double)(after.Descriptors - before.Descriptors) / count:F1} | {At(idle, 0.5)} | {At(idle, 0.99)} | {At(busy, 0.5)} | {At(busy, 0.99)} |"));
    }

    private static string PerDevice(long bytes, int count) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0 / count:F1} KiB");

    private static string At(double[] sorted, double quantile) => sorted.Length == 0 ? "-"
        : string.Create(CultureInfo.InvariantCulture, $"{sorted[(int)(quantile * sorted.Length)]:F1} µs");
}
