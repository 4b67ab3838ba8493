using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using VfioUser.Disks;
using VfioUser.Virtio;

namespace VfioUser.Benchmarks;

/// <summary>A virtio disk in memory. Answers each line with the bytes that were allocated since the start.</summary>
internal static class VirtioServer
{
    /// <param name="path">Where to listen.</param>
    /// <param name="layout"><c>split</c> for rings of that layout only.</param>
    /// <param name="serial">Of the disk; null for one of its own.</param>
    public static void Run(string path, string layout = "packed", string? serial = null)
    {
        using MemoryDisk disk = new(NvmeServer.DiskSize);
        disk.WriteAsync(0, new byte[NvmeServer.DiskSize]).AsTask().GetAwaiter().GetResult(); // all of it is there before anything counts
        using VirtioBlock device = new(disk, new VirtioBlockOptions
        {
            Queues = NvmeServer.Queues,
            OffersPackedRings = layout is not "split",
            SerialNumber = serial,
        });
        using VfioUserServer server = VfioUserServer.Bind(path, new VfioUserServerOptions { Logger = NullLogger.Instance });
        Thread serving = new(() => server.Run(device)) { IsBackground = true };
        serving.Start();
        Console.WriteLine("ready");
        while (Console.ReadLine() is not null)
            Console.WriteLine(GC.GetTotalAllocatedBytes(precise: true).ToString(CultureInfo.InvariantCulture));
    }
}
