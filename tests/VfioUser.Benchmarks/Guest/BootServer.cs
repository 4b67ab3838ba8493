using Gpio;
using VfioUser.Disks;
using VfioUser.Nvme;

namespace VfioUser.Benchmarks;

/// <summary>A GPIO card and an NVMe controller, each on a socket, until standard input ends.</summary>
internal static class BootServer
{
    public static void Run(string gpio, string nvme, bool sleeps)
    {
        VfioUserServerOptions options = sleeps ? new VfioUserServerOptions { Spin = TimeSpan.Zero } : new VfioUserServerOptions();
        using MemoryDisk disk = new(64 << 20);
        using NvmeController controller = new([disk]);
        using GpioCard card = new();
        using VfioUserServer first = VfioUserServer.Bind(gpio, options);
        using VfioUserServer second = VfioUserServer.Bind(nvme, options);
        Task serving = Task.WhenAll(first.RunAsync(card), second.RunAsync(controller));
        Console.WriteLine("ready");
        while (!serving.IsCompleted && Console.ReadLine() is not null)
        {
            // nothing is asked of it
        }
    }
}
