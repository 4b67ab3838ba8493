using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>A process that serves devices, as it is told line by line.</summary>
internal static class DevicesProcess
{
    /// <param name="folder">Where its sockets are.</param>
    /// <param name="threads">For all devices; 0 for one each.</param>
    /// <param name="spins">Whether threads poll before they sleep, as by default.</param>
    public static void Run(string folder, int threads, bool spins)
    {
        VfioUserServerOptions options = spins ? new() : new() { Spin = TimeSpan.Zero };
        using VfioUserHost host = new(new VfioUserHostOptions { Threads = threads, Spin = options.Spin });
        int added = 0;
        while (Console.ReadLine() is { } line)
        {
            switch (line.Split(' '))
            {
                case ["add", string count]:
                    for (int left = int.Parse(count, CultureInfo.InvariantCulture); left > 0; left--)
                        host.Add(new SmallDevice(), PathOf(folder, added++), options);
                    break;
                case ["clear"]:
                    host.RemoveAllAsync().GetAwaiter().GetResult();
                    break;
            }
            Console.WriteLine(Figures.Now().Format());
        }
    }

    public static string PathOf(string folder, int device) => Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{device}.sock"));

    private sealed class SmallDevice : PciDevice
    {
        public SmallDevice()
            : base(new PciId(0x1B36, 0x00F0), PciClass.Unclassified)
        {
            Bar bar0 = AddBar(0, BarKind.Memory32, 0x2000);
            bar0.AddRegister<uint>(0x0);
            bar0.AddMsiX(0x1000, 1);
        }
    }
}
