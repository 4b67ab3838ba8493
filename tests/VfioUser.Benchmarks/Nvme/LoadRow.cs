using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>A row of a table: 4 KiB reads or writes by a driver beside the same copies and signals without one, in turn.</summary>
internal static class LoadRow
{
    public const int Alternations = 5;
    public static readonly TimeSpan Time = TimeSpan.FromMilliseconds(300);

    /// <returns>Whether the target is met.</returns>
    public static bool Run(string label, Child server, ILoadQueue[] floor, ILoadQueue[] ours, bool write, int depth, double rateTarget)
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
            32 => (string.Create(CultureInfo.InvariantCulture, $"≥ {rateTarget:F2} rate"), ratio >= rateTarget),
            _ => ("", true),
        };
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {label} | {(write ? "write" : "read")} | {ours.Length} | {depth} | {Text(floors)} | {Text(loads)} | {ratio:F2} | {target} | {(target.Length == 0 ? "" : met ? "met" : "missed")} | {(double)allocated / loads.Sum(load => load.Count):F2} |"));
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
