using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>The NVMe sample with a disk in a file beside fio on the file itself, in turn, as a table.</summary>
internal static class NvmeFile
{
    private const int Alternations = 5;
    private const int Depth = 32;
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(1);

    /// <param name="folder">Where the file is made; null for the one of temporary files.</param>
    public static int Run(string? folder)
    {
        string path = Path.Combine(folder ?? Path.GetTempPath(), $"nvme-file-{Environment.ProcessId}");
        string socketPath = path + ".sock";
        Console.WriteLine($"{Alternations} alternations of {Time.TotalSeconds} s, medians; 4 KiB random at depth {Depth}; {NvmeServer.DiskSize >> 20} MiB in {path}, in the page cache.");
        Console.WriteLine();
        Console.WriteLine("| doorbells | 4 KiB random | fio libaio IOPS | fio, 32 threads | NVMe IOPS | NVMe p50 / p99 | of libaio | target | |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|");
        bool met = true;
        try
        {
            foreach (NvmeDoorbells doorbells in new[] { NvmeDoorbells.Shadow, NvmeDoorbells.Mapped })
            {
                using Child server = new("0,1", ["nvme-server", socketPath, doorbells.ToString(), path]);
                server.Hear();
                using NvmeClient client = new(socketPath, doorbells);
                foreach (bool write in new[] { false, true })
                    met &= Row(doorbells, path, client.Queues[0], write);
            }
        }
        finally
        {
            File.Delete(path);
            File.Delete(socketPath);
        }
        return met ? 0 : 1;
    }

    private static bool Row(NvmeDoorbells doorbells, string path, ILoadQueue queue, bool write)
    {
        List<double> aio = [], threads = [], ratios = [];
        List<Load> loads = [];
        Load.Run([queue], write, Depth, Time / 3);
        for (int i = 0; i < Alternations; i++)
        {
            aio.Add(Fio(path, write, "libaio", $"--iodepth={Depth}"));
            threads.Add(Fio(path, write, "psync", $"--numjobs={Depth} --thread --group_reporting"));
            loads.Add(Load.Run([queue], write, Depth, Time));
            ratios.Add(loads[^1].PerSecond / aio[^1]);
        }
        double ratio = Median(ratios);
        bool met = ratio >= 0.8;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {doorbells} | {(write ? "write" : "read")} | {Median(aio):N0} | {Median(threads):N0} | {Median(loads.Select(load => load.PerSecond)):N0} | {Median(loads.Select(load => load.MedianMicroseconds)):F1} / {Median(loads.Select(load => load.P99Microseconds)):F1} µs | {ratio:F2} | ≥ 0.80 | {(met ? "met" : "missed")} |"));
        return met;
    }

    private static double Fio(string path, bool write, string engine, string more)
    {
        string words = string.Create(CultureInfo.InvariantCulture,
            $"--name=job --filename={path} --size={NvmeServer.DiskSize} --ioengine={engine} {more} --bs=4k --rw={(write ? "randwrite" : "randread")} --invalidate=0 --time_based --runtime={Time.TotalSeconds} --minimal");
        using Process fio = Process.Start(new ProcessStartInfo("fio", words) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string output = fio.StandardOutput.ReadToEnd();
        fio.WaitForExit();
        return FioOutput.Iops(output, write);
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Alternations / 2);
}
