using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using VfioUser.Disks;
using VfioUser.Nvme;

namespace VfioUser.Benchmarks;

/// <summary>Many NVMe controllers in one process, as for the guests of a host: whether each gets its share.</summary>
internal static class ManyControllers
{
    private const string Cores = "0,1";
    private const int DefaultCount = 36;
    private const double SmallestShare = 0.5; // of the median
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(3);

    public static int Run(string[] words)
    {
        int count = words is [string word] ? int.Parse(word, CultureInfo.InvariantCulture) : DefaultCount;
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nvme-many-");
        List<NvmeClient> clients = [];
        try
        {
            using Child server = new(Cores, ["nvme-many-server", folder.FullName, count.ToString(CultureInfo.InvariantCulture)]);
            server.Hear();
            for (int i = 0; i < count; i++)
                clients.Add(new NvmeClient(PathOf(folder.FullName, i), NvmeDoorbells.Shadow));
            Console.WriteLine($"{count} controllers in one process, shadow doorbells, 4 KiB random reads of a disk in memory, all at once for {Time.TotalSeconds:F0} s, drivers in another process; nothing pinned.");
            Console.WriteLine();
            Console.WriteLine("| depth | all IOPS | slowest | median | fastest | slowest / median | target | | median p50 | worst p99 |");
            Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|");
            bool met = true;
            foreach (int depth in new[] { 1, 8, 32 })
                met &= Measure(clients, depth);
            return met ? 0 : 1;
        }
        finally
        {
            clients.ForEach(client => client.Dispose());
            folder.Delete(recursive: true);
        }
    }

    public static void Serve(string folder, int count)
    {
        for (int i = 0; i < count; i++)
        {
            MemoryDisk disk = new(NvmeServer.DiskSize);
            NvmeController controller = new([disk], new NvmeControllerOptions { IoQueues = NvmeServer.Queues, BlockSize = 4096 });
            VfioUserServer server = VfioUserServer.Bind(PathOf(folder, i), new() { Logger = NullLogger.Instance });
            new Thread(() => server.Run(controller)) { IsBackground = true }.Start();
        }
        Console.WriteLine("ready");
        Console.ReadLine(); // until the other process has seen enough
    }

    private static bool Measure(List<NvmeClient> clients, int depth)
    {
        Load[] loads = new Load[clients.Count];
        Thread[] threads = [.. clients.Select((client, i) => new Thread(() => loads[i] = Load.Run([client.Queues[0]], write: false, depth, Time)))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        double[] rates = [.. loads.Select(load => load.PerSecond).Order()];
        double median = rates[rates.Length / 2];
        bool met = rates[0] >= SmallestShare * median;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {depth} | {rates.Sum():N0} | {rates[0]:N0} | {median:N0} | {rates[^1]:N0} | {rates[0] / median:F2} | ≥ {SmallestShare:F2} | {(met ? "met" : "missed")} | {loads.Select(load => load.MedianMicroseconds).Order().ElementAt(loads.Length / 2):N0} µs | {loads.Max(load => load.P99Microseconds):N0} µs |"));
        return met;
    }

    private static string PathOf(string folder, int number) => Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{number}.sock"));
}
