using System.Diagnostics;
using System.Globalization;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Benchmarks;

/// <summary>A Linux guest boots with a GPIO card and an NVMe disk: how long until it has both, and the processor time of their server, with
/// and without polling.</summary>
internal static class BootInGuest
{
    private const int Alternations = 5;

    private static readonly Initramfs Guest = new(modules: ["nvme", "gpio-pci-idio-16"], programs: []);

    public static async Task Run()
    {
        List<(Boot Sleeping, Boot Adaptive)> boots = [];
        await Measure(sleeps: true); // fetches and builds what is not there
        for (int i = 0; i < Alternations; i++)
            boots.Add((await Measure(sleeps: true), await Measure(sleeps: false)));
        Console.WriteLine("| a guest's boot with GPIO and NVMe | no polling | by default | default / no polling |");
        Console.WriteLine("|---|---|---|---|");
        Row("until it has the disk", "s", boot => boot.Time);
        Row("processor time of the server", "s", boot => boot.Processor);

        void Row(string name, string unit, Func<Boot, double> of) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {name} | {Median(boots.Select(b => of(b.Sleeping))):F2} {unit} | {Median(boots.Select(b => of(b.Adaptive))):F2} {unit} | {Median(boots.Select(b => of(b.Adaptive) / of(b.Sleeping))):F2} |"));
    }

    private static async Task<Boot> Measure(bool sleeps)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-boot-");
        try
        {
            string[] sockets = [Path.Combine(folder.FullName, "gpio.sock"), Path.Combine(folder.FullName, "nvme.sock")];
            using Child server = new("0,1", ["boot-server", .. sockets, sleeps ? "sleeping" : "adaptive"]);
            server.Hear();
            TimeSpan before = server.ProcessorTime;
            long start = Stopwatch.GetTimestamp();
            await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions { Guest = Guest, SocketPaths = sockets });
            await machine.Output("until [ -b /dev/nvme0n1 ] && [ -d /sys/bus/pci/drivers/pci-idio-16/0* ]; do usleep 10000; done");
            return new Boot(Stopwatch.GetElapsedTime(start).TotalSeconds, (server.ProcessorTime - before).TotalSeconds);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(Alternations / 2);

    // seconds
    private sealed record Boot(double Time, double Processor);
}
