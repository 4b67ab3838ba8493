using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>4 KiB reads and writes by NVMe beside the same copies and signals without it, in turn, as a table.</summary>
internal static class NvmeComparison
{
    private const int Alternations = 5;
    private const string Cores = "0,1";
    private static readonly TimeSpan Time = TimeSpan.FromMilliseconds(300);

    public static int Run(string[] doorbells)
    {
        Console.WriteLine($"{Alternations} alternations a row of {Time.TotalMilliseconds} ms a side, medians; disk in memory, nothing pinned.");
        Console.WriteLine();
        Console.WriteLine("| doorbells | 4 KiB random | queues | depth | floor IOPS | floor p50 / p99 | NVMe IOPS | NVMe p50 / p99 | ratio | target | | bytes a command |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        bool met = true;
        IEnumerable<NvmeDoorbells> kinds = doorbells.Length == 0
            ? [NvmeDoorbells.Shadow, NvmeDoorbells.Mapped]
            : doorbells.Select(name => Enum.Parse<NvmeDoorbells>(name, ignoreCase: true));
        foreach (NvmeDoorbells kind in kinds)
            met &= Run(kind);
        return met ? 0 : 1;
    }

    private static bool Run(NvmeDoorbells doorbells)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nvme-bench-");
        try
        {
            string oursPath = Path.Combine(folder.FullName, "ours");
            string floorPath = Path.Combine(folder.FullName, "floor");
            using Child server = new(Cores, ["nvme-server", oursPath, doorbells.ToString()]);
            using Child floorServer = new(Cores, ["nvme-floor", floorPath]);
            server.Hear();
            floorServer.Hear();
            using NvmeClient client = new(oursPath, doorbells);
            IReadOnlyList<ILoadQueue> floor = NvmeFloorServer.Connect(floorPath);
            floorServer.Hear();
            bool met = true;
            foreach (int queues in new[] { 1, NvmeServer.Queues })
            {
                foreach (bool write in new[] { false, true })
                {
                    foreach (int depth in new[] { 1, 32, 128 })
                        met &= Row(doorbells, server, [.. floor.Take(queues)], [.. client.Queues.Take(queues)], write, depth);
                }
            }
            return met;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static bool Row(NvmeDoorbells doorbells, Child server, ILoadQueue[] floor, ILoadQueue[] ours, bool write, int depth)
    {
        // both are warm before anything counts
        Load.Run(floor, write, depth, Time / 3);
        Load.Run(ours, write, depth, Time / 3);
        List<Load> floors = [], loads = [];
        List<double> ratios = [];
        long before = Allocated(server);
        for (int i = 0; i < Alternations; i++)
        {
            floors.Add(Load.Run(floor, write, depth, Time));
            loads.Add(Load.Run(ours, write, depth, Time));
            ratios.Add(depth == 1 ? loads[^1].MedianMicroseconds / floors[^1].MedianMicroseconds : loads[^1].PerSecond / floors[^1].PerSecond);
        }
        // a question allocates something itself
        long allocated = Math.Max(0, Allocated(server) - before - 1024);
        double ratio = ratios.Order().ElementAt(Alternations / 2);
        (string target, bool met) = depth switch
        {
            1 => ("≤ 1.50 latency", ratio <= 1.5),
            32 => ("≥ 0.50 rate", ratio >= 0.5),
            _ => ("", true),
        };
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {doorbells} | {(write ? "write" : "read")} | {ours.Length} | {depth} | {Text(floors)} | {Text(loads)} | {ratio:F2} | {target} | {(target.Length == 0 ? "" : met ? "met" : "missed")} | {(double)allocated / loads.Sum(load => load.Count):F2} |"));
        return met;
    }

    private static string Text(List<Load> loads)
    {
        static double Median(IEnumerable<double> values) => values.Order().ElementAt(Alternations / 2);
        return string.Create(CultureInfo.InvariantCulture,
            $"{Median(loads.Select(load => load.PerSecond)):N0} | {Median(loads.Select(load => load.MedianMicroseconds)):F1} / {Median(loads.Select(load => load.P99Microseconds)):F1} µs");
    }

    private static long Allocated(Child server) => long.Parse(server.Ask("allocated"), CultureInfo.InvariantCulture);
}
