using System.Globalization;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Benchmarks;

/// <summary>fio over TCP between two guests: a card of ours beside QEMU's own of the same kind in the same guests, in turn, as a table.</summary>
internal static class CardsInGuests
{
    private const int Seconds = 2;
    private const int FirstPort = 5001;
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);
    private static int _port = FirstPort;

    /// <param name="kind">Which cards.</param>
    /// <param name="words">A number of alternations, by default 5; <c>pingpong</c> or <c>stream</c> for one of the two; <c>spin=</c> and
    /// <c>delay=</c> with microseconds for our server and its E1000 cards, by default a server that adapts, and 1000.</param>
    public static async Task Run(CardKind kind, string[] words)
    {
        int alternations = words.Select(word => int.TryParse(word, CultureInfo.InvariantCulture, out int one) ? one : 0).FirstOrDefault(one => one > 0, 5);
        string spin = ValueOf(words, "spin=", "adaptive");
        string delay = ValueOf(words, "delay=", "1000");
        Console.WriteLine($"fio over TCP between two guests of one processor; each frame of either card passes one process with a switch; polling of the server, in us: {spin}.");
        Console.WriteLine($"{alternations} alternations of {Seconds} s, medians. Interrupts are those of both guests together.");
        Console.WriteLine();
        Console.WriteLine($"| what | QEMU's {kind.QemuDevice} | ours | ratio | target | | interrupts each: QEMU's | ours |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("cards-");
        try
        {
            using Child server = new("0,1", ["card-server", kind.Name, folder.FullName, spin, delay]);
            server.Hear();
            VirtualMachine[] machines = await Task.WhenAll(Enumerable.Range(0, CardServer.Cards).Select(i => VirtualMachine.Start(OptionsOf(kind, folder.FullName, i))));
            try
            {
                for (int i = 0; i < machines.Length; i++)
                    await Configure(machines[i], i);
                if (!words.Contains("stream", StringComparer.Ordinal))
                    await Row(kind, machines, "round trips a second, 1 byte", alternations, pingPong: true);
                if (!words.Contains("pingpong", StringComparer.Ordinal))
                    await Row(kind, machines, "stream, MiB/s", alternations, pingPong: false);
            }
            finally
            {
                foreach (VirtualMachine machine in machines)
                    await machine.DisposeAsync();
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string ValueOf(string[] words, string name, string otherwise) =>
        words.Where(word => word.StartsWith(name, StringComparison.Ordinal)).Select(word => word[name.Length..]).FirstOrDefault(otherwise);

    private static MachineOptions OptionsOf(CardKind kind, string folder, int guest) => new()
    {
        Guest = new Initramfs(modules: [kind.Module], programs: ["fio"]),
        SocketPaths = [CardServer.CardPath(folder, guest)],
        MemorySize = 320,
        Arguments =
        [
            "-netdev", $"stream,id=net,server=off,addr.type=unix,addr.path={CardServer.StreamPath(folder)}",
            "-device", string.Create(CultureInfo.InvariantCulture, $"{kind.QemuDevice},netdev=net,romfile=,mac=52:54:00:e1:01:{guest:x2}"),
        ],
    };

    // ours is net 0, QEMU's is net 1
    private static async Task Configure(VirtualMachine machine, int guest) => await machine.Output(string.Join("; ",
    [
        "ip link set lo up",
        .. Enumerable.Range(0, 2).Select(net => string.Create(CultureInfo.InvariantCulture,
            $"eth=$(grep -l 52:54:00:e1:0{net}: /sys/class/net/*/address | cut -d/ -f5); ip link set $eth name net{net}; ip addr add 10.0.{net}.{guest + 1}/24 dev net{net}; ip link set net{net} up")),
        "until [ \"$(cat /sys/class/net/net0/carrier)$(cat /sys/class/net/net1/carrier)\" = 11 ]; do usleep 100000; done",
    ]));

    private static async Task Row(CardKind kind, VirtualMachine[] machines, string what, int alternations, bool pingPong)
    {
        List<(double Rate, double Interrupts)> ours = [], theirs = [];
        for (int i = 0; i < alternations; i++)
        {
            theirs.Add(await Measure(kind, machines, net: 1, pingPong));
            ours.Add(await Measure(kind, machines, net: 0, pingPong));
        }
        double ratio = Median(ours.Zip(theirs, (one, other) => one.Rate / other.Rate));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {what} | {Median(theirs.Select(one => one.Rate)):N0} | {Median(ours.Select(one => one.Rate)):N0} | {ratio:F2} | ≥ 1.0 | {(ratio >= 1 ? "met" : "missed")} " +
            $"| {Median(theirs.Select(one => one.Interrupts)):F2} | {Median(ours.Select(one => one.Interrupts)):F2} |"));
    }

    private static async Task<(double Rate, double Interrupts)> Measure(CardKind kind, VirtualMachine[] machines, int net, bool pingPong)
    {
        int port = _port++;
        string job = string.Create(CultureInfo.InvariantCulture, $"fio --name=job --ioengine=net --protocol=tcp --port={port} --nodelay=1 --size=1t --minimal ") +
            (pingPong ? "--pingpong=1 --bs=1" : "--bs=64k");
        await machines[1].Output(string.Create(CultureInfo.InvariantCulture,
            $"{job} --listen --rw=read >/dev/null 2>&1 & until grep -qi ':{port:x4} 00000000:0000 0A' /proc/net/tcp; do usleep 10000; done"));
        long before = await Interrupts(kind, machines, net);
        string output = await machines[0].Output(string.Create(CultureInfo.InvariantCulture,
            $"{job} --hostname=10.0.{net}.2 --rw=write --time_based --runtime={Seconds}"), Timeout);
        long interrupts = await Interrupts(kind, machines, net) - before;
        await machines[1].Output("while killall -q fio; do usleep 100000; done");
        double rate = FioOutput.Iops(output, write: true) * (pingPong ? 1 : 1 / 16.0);
        return (rate, interrupts / (rate * Seconds));
    }

    private static async Task<long> Interrupts(CardKind kind, VirtualMachine[] machines, int net)
    {
        long sum = 0;
        foreach (VirtualMachine machine in machines)
            sum += long.Parse(await machine.Output($"awk -v name=\"{kind.InterruptsOf(net)}\" '$0 ~ name {{ n += $2 }} END {{ print n + 0 }}' /proc/interrupts"), CultureInfo.InvariantCulture);
        return sum;
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(values.Count() / 2);
}
