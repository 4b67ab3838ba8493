namespace VfioUser.Benchmarks;

/// <summary>4 KiB reads and writes by virtio beside the same copies and signals without it, in turn, as a table.</summary>
internal static class VirtioComparison
{
    private const string Cores = "0,1";

    public static int Run(string[] layouts)
    {
        Console.WriteLine($"{LoadRow.Alternations} alternations a row of {LoadRow.Time.TotalMilliseconds} ms a side, medians; disk in memory, nothing pinned.");
        Console.WriteLine();
        Console.WriteLine("| rings | 4 KiB random | queues | depth | floor IOPS | floor p50 / p99 | virtio IOPS | virtio p50 / p99 | ratio | target | | bytes a request |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        bool met = true;
        foreach (string layout in layouts.Length == 0 ? ["split", "packed"] : layouts)
            met &= Run(layout);
        return met ? 0 : 1;
    }

    private static bool Run(string layout)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtio-bench-");
        try
        {
            string oursPath = Path.Combine(folder.FullName, "ours");
            string floorPath = Path.Combine(folder.FullName, "floor");
            using Child server = new(Cores, ["virtio-block-server", oursPath]);
            using Child floorServer = new(Cores, ["nvme-floor", floorPath]);
            server.Hear();
            floorServer.Hear();
            using VirtioClient client = new(oursPath, isPacked: layout is "packed");
            IReadOnlyList<ILoadQueue> floor = NvmeFloorServer.Connect(floorPath);
            floorServer.Hear();
            bool met = true;
            foreach (int queues in new[] { 1, NvmeServer.Queues })
            {
                foreach (bool write in new[] { false, true })
                {
                    foreach (int depth in new[] { 1, 32, 128 })
                        met &= LoadRow.Run(layout, server, [.. floor.Take(queues)], [.. client.Queues.Take(queues)], write, depth, rateTarget: 0.6);
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
