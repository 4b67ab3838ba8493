namespace VfioUser.Benchmarks;

/// <summary>4 KiB reads and writes by NVMe beside the same copies and signals without it, in turn, as a table.</summary>
internal static class NvmeComparison
{
    private const string Cores = "0,1";

    public static int Run(string[] doorbells)
    {
        Console.WriteLine($"{LoadRow.Alternations} alternations a row of {LoadRow.Time.TotalMilliseconds} ms a side, medians; disk in memory, nothing pinned.");
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
                        met &= LoadRow.Run(doorbells.ToString(), server, [.. floor.Take(queues)], [.. client.Queues.Take(queues)], write, depth, rateTarget: 0.5);
                }
            }
            return met;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
