using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>4 KiB reads and writes by virtio beside the same copies and signals without it, in turn, as a table.</summary>
internal static class VirtioComparison
{
    private const string Cores = "0,1";

    private static readonly string[] Layouts = ["split", "packed"];
    private static readonly string[] Accesses = ["read", "write"];
    private static readonly int[] Depths = [1, 32, 128];

    /// <param name="words">Which rows: layouts, accesses and depths. All, of what none is named.</param>
    public static int Run(string[] words)
    {
        Console.WriteLine($"{LoadRow.Alternations} alternations a row of {LoadRow.Time.TotalMilliseconds} ms a side, medians; disk in memory, nothing pinned.");
        Console.WriteLine();
        Console.WriteLine("| rings | 4 KiB random | queues | depth | floor IOPS | floor p50 / p99 | virtio IOPS | virtio p50 / p99 | ratio | target | | bytes a request |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        bool met = true;
        int[] depths = [.. words.Select(word => int.TryParse(word, CultureInfo.InvariantCulture, out int depth) ? depth : 0).Where(depth => depth > 0)];
        foreach (string layout in Named(Layouts, words))
            met &= Run(layout, Named(Accesses, words), depths.Length > 0 ? depths : Depths);
        return met ? 0 : 1;
    }

    private static string[] Named(string[] all, string[] words) => all.Intersect(words, StringComparer.Ordinal).ToArray() is { Length: > 0 } named ? named : all;

    private static bool Run(string layout, string[] accesses, int[] depths)
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
                foreach (string access in accesses)
                {
                    foreach (int depth in depths)
                        met &= LoadRow.Run(layout, server, [.. floor.Take(queues)], [.. client.Queues.Take(queues)], access is "write", depth, rateTarget: 0.6);
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
