using System.Diagnostics;
using System.Globalization;
using VfioUser.Disks;

namespace VfioUser.Benchmarks;

/// <summary>The NVMe sample with a disk of another machine beside fio's own engine for it, in turn, as a table.</summary>
internal static class NvmeDisk
{
    private const int Alternations = 5;
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(2);

    /// <param name="address">Of the sample's disk, which is overwritten.</param>
    /// <param name="engine">What fio is told: its engine and the disk, which may be another one of the same kind.</param>
    /// <param name="cache">Of the sample's disk.</param>
    public static int Run(string address, string engine, FileCacheMode cache)
    {
        string socketPath = Path.Combine(Path.GetTempPath(), $"nvme-disk-{Environment.ProcessId}.sock");
        Console.WriteLine($"{Alternations} alternations of {Time.TotalSeconds} s, medians; 4 KiB random within {NvmeServer.DiskSize >> 20} MiB.");
        Console.WriteLine();
        Console.WriteLine("| disk | 4 KiB random | depth | fio IOPS | NVMe IOPS | NVMe p50 / p99 | of fio | target | |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        bool met = true;
        try
        {
            using Child server = new("0,1", ["nvme-server", socketPath, nameof(NvmeDoorbells.Shadow), address, cache.ToString()]);
            server.Hear();
            using NvmeClient client = new(socketPath, NvmeDoorbells.Shadow);
            Fio(engine, write: true, depth: 16, "--rw=write --bs=1M"); // all of its disk is there, too
            foreach (bool write in new[] { false, true })
            {
                foreach (int depth in new[] { 1, 32 })
                    met &= Row(address.Split(':')[0], engine, client.Queues[0], write, depth);
            }
        }
        finally
        {
            File.Delete(socketPath);
        }
        return met ? 0 : 1;
    }

    private static bool Row(string name, string engine, ILoadQueue queue, bool write, int depth)
    {
        List<double> others = [], ratios = [];
        List<Load> loads = [];
        Load.Run([queue], write, depth, Time / 3);
        for (int i = 0; i < Alternations; i++)
        {
            others.Add(Fio(engine, write, depth, string.Create(CultureInfo.InvariantCulture, $"--bs=4k --rw={(write ? "randwrite" : "randread")} --time_based --runtime={Time.TotalSeconds}")));
            loads.Add(Load.Run([queue], write, depth, Time));
            ratios.Add(loads[^1].PerSecond / others[^1]);
        }
        double ratio = Median(ratios);
        bool met = ratio >= 0.9;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {name} | {(write ? "write" : "read")} | {depth} | {Median(others):N0} | {Median(loads.Select(load => load.PerSecond)):N0} | {Median(loads.Select(load => load.MedianMicroseconds)):F1} / {Median(loads.Select(load => load.P99Microseconds)):F1} µs | {ratio:F2} | ≥ 0.90 | {(met ? "met" : "missed")} |"));
        return met;
    }

    private static double Fio(string engine, bool write, int depth, string more)
    {
        string words = $"--name=job --thread --norandommap {engine} --iodepth={depth} --size={NvmeServer.DiskSize} {more} --minimal";
        using Process fio = Process.Start(new ProcessStartInfo("fio", words) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string output = fio.StandardOutput.ReadToEnd();
        fio.WaitForExit();
        return FioOutput.Iops(output, write);
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Alternations / 2);
}
