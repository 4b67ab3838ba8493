using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using VfioUser.Disks;
using VfioUser.Nvme;

namespace VfioUser.Benchmarks;

/// <summary>The NVMe sample with a disk in memory or of an address. Answers each line with the bytes that were allocated since the start.</summary>
internal static class NvmeServer
{
    public const int Queues = 2;
    public const long DiskSize = 64 << 20;

    public static void Run(string path, NvmeDoorbells doorbells, string? address, FileCacheMode cache = FileCacheMode.Writeback)
    {
        using Disk disk = address is null ? new MemoryDisk(DiskSize)
            : DiskAddress.Parse(address).OpenAsync(new DiskOptions { Size = DiskSize, Cache = cache }).GetAwaiter().GetResult();
        disk.WriteAsync(0, new byte[DiskSize]).AsTask().GetAwaiter().GetResult(); // all of it is there before anything counts
        disk.FlushAsync().AsTask().GetAwaiter().GetResult(); // Ceph's cache writes through until the first one, which any guest's driver sends
        using NvmeController controller = new([disk], new NvmeControllerOptions
        {
            IoQueues = Queues,
            BlockSize = 4096,
            Doorbells = doorbells == NvmeDoorbells.Mapped ? NvmeDoorbellKind.Mapped : NvmeDoorbellKind.Trapped,
        });
        using VfioUserServer server = VfioUserServer.Bind(path);
        Thread serving = new(() => server.Run(controller)) { IsBackground = true };
        serving.Start();
        Console.WriteLine("ready");
        while (Console.ReadLine() is not null)
            Console.WriteLine(GC.GetTotalAllocatedBytes(precise: true).ToString(CultureInfo.InvariantCulture));
    }
}
