using System.Globalization;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Benchmarks;

/// <summary>fio in a guest: the virtio disk beside QEMU's own, in turn, as a table; then what an idle server costs.</summary>
internal static class VirtioInGuest
{
    private const string Serial = "ours";
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(20);

    private static readonly InGuestRow[] Rows =
    [
        new(Write: false, BlockKiB: 4, Depth: 1, Target: 1.2),
        new(Write: false, BlockKiB: 4, Depth: 32, Target: 1.1),
        new(Write: true, BlockKiB: 4, Depth: 1, Target: 1.2),
        new(Write: true, BlockKiB: 4, Depth: 32, Target: 1.1),
    ];

    /// <param name="words"><c>packed</c> for packed rings on both sides; a number of processors; <c>depth1</c> and <c>depth32</c> for these
    /// rows only.</param>
    public static async Task Run(string[] words)
    {
        bool isPacked = words.Contains("packed", StringComparer.Ordinal);
        int processors = words.Select(word => int.TryParse(word, CultureInfo.InvariantCulture, out int one) ? one : 1).Append(1).Max();
        Console.WriteLine($"fio, random, direct, libaio; guest with {processors} processor(s); {(isPacked ? "packed" : "split")} rings; our disk is in memory, QEMU's a file in memory.");
        Console.WriteLine($"{DisksInGuest.Alternations} alternations of {DisksInGuest.Seconds} s, medians.");
        Console.WriteLine();
        Console.WriteLine("| what | KiB | depth | QEMU's virtio-blk IOPS | ours | ratio | target | |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtio-guest-");
        string theirs = $"/dev/shm/{folder.Name}-theirs"; // memory that has a name
        try
        {
            File.WriteAllBytes(theirs, new byte[NvmeServer.DiskSize]);
            string socketPath = Path.Combine(folder.FullName, "block.sock");
            using Child server = new("0,1", ["virtio-block-server", socketPath, isPacked ? "packed" : "split", Serial]);
            server.Hear();
            await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions
            {
                Guest = new Initramfs(modules: ["virtio_blk"], programs: ["fio"]),
                SocketPaths = [socketPath],
                Arguments =
                [
                    "-smp", processors.ToString(CultureInfo.InvariantCulture), "-drive", $"if=none,id=disk,format=raw,file={theirs}",
                    "-device", $"virtio-blk-pci,drive=disk,serial=qemu,packed={(isPacked ? "on" : "off")}",
                ],
            });
            await machine.Output("until [ -b /dev/vda ] && [ -b /dev/vdb ]; do usleep 10000; done");
            (string ours, string qemu) = await machine.Output("cat /sys/block/vda/serial") is Serial ? ("vda", "vdb") : ("vdb", "vda");
            foreach (string disk in new[] { ours, qemu })
                await machine.Output($"dd if=/dev/zero of=/dev/{disk} bs=1M oflag=direct 2>/dev/null; true", Timeout);
            DisksInGuest disks = new(machine, ours, qemu);
            InGuestRow[] named = [.. Rows.Where(row => words.Contains(string.Create(CultureInfo.InvariantCulture, $"depth{row.Depth}"), StringComparer.Ordinal))];
            foreach (InGuestRow row in named.Length > 0 ? named : Rows)
                await disks.Measure(row);
            if (named.Length == 0)
                await MeasureIdle(server);
        }
        finally
        {
            File.Delete(theirs);
            folder.Delete(recursive: true);
        }
    }

    private static async Task MeasureIdle(Child server)
    {
        TimeSpan before = server.ProcessorTime;
        await Task.Delay(IdleTime);
        double percent = 100 * ((server.ProcessorTime - before) / IdleTime);
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Idle server with its guest attached, {IdleTime.TotalSeconds} s: {percent:F2} % of a processor (target ≤ 0.5: {(percent <= 0.5 ? "met" : "missed")})."));
    }
}
