using System.Globalization;
using VfioUser.Vm.Tests.Harness;
using VfioUser.Vm.Tests.Nvme;

namespace VfioUser.Benchmarks;

/// <summary>fio in a guest: the NVMe sample beside QEMU's own device with the same data, in turn, as a table.</summary>
internal static class NvmeInGuest
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);

    // a command of 128 KiB is 32 maps and 32 unmaps there, each a message
    private static readonly InGuestRow[] Translated =
    [
        new(Write: false, BlockKiB: 128, Depth: 8, Target: 0.3),
        new(Write: true, BlockKiB: 128, Depth: 8, Target: 0.3),
        new(Write: false, BlockKiB: 4, Depth: 1, Target: 0.3),
    ];

    private static readonly InGuestRow[] Direct =
    [
        new(Write: false, BlockKiB: 4, Depth: 1, Target: 1.3),
        new(Write: false, BlockKiB: 4, Depth: 32, Target: 1.0),
        new(Write: true, BlockKiB: 4, Depth: 1, Target: 1.3),
        new(Write: true, BlockKiB: 4, Depth: 32, Target: 1.0),
    ];

    /// <param name="words">What differs from a disk in memory, shadow doorbells, one processor, and no IOMMU.</param>
    public static async Task Run(string[] words)
    {
        string kind = words.Contains("file", StringComparer.Ordinal) ? "file" : "memory";
        NvmeDoorbells doorbells = words.Select(word => Enum.TryParse(word, ignoreCase: true, out NvmeDoorbells one) && !char.IsDigit(word[0]) ? one : default).Append(default).Max();
        int processors = words.Select(word => int.TryParse(word, CultureInfo.InvariantCulture, out int one) ? one : 1).Append(1).Max();
        bool isStrict = words.Contains("strict", StringComparer.Ordinal);
        Console.WriteLine($"fio, random, direct, libaio; guest with {processors} processor(s){(isStrict ? " and a strict virtual IOMMU" : "")}; the sample's disk is {kind}, its doorbells {doorbells}; QEMU's disk is a file in memory.");
        Console.WriteLine($"{DisksInGuest.Alternations} alternations of {DisksInGuest.Seconds} s, medians.");
        Console.WriteLine();
        Console.WriteLine("| what | KiB | depth | QEMU's nvme IOPS | sample IOPS | ratio | target | |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nvme-guest-");
        // memory that has a name: what holds either back is not a disk
        string ours = $"/dev/shm/{folder.Name}-ours";
        string theirs = $"/dev/shm/{folder.Name}-theirs";
        try
        {
            File.WriteAllBytes(theirs, new byte[NvmeServer.DiskSize]);
            string socketPath = Path.Combine(folder.FullName, "nvme.sock");
            using Child server = new("0,1",
                ["nvme-server", socketPath, doorbells.ToString(), .. string.Equals(kind, "file", StringComparison.Ordinal) ? new[] { ours } : []]);
            server.Hear();
            await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions
            {
                Guest = NvmeGuest.Initramfs,
                SocketPaths = [socketPath],
                Iommu = isStrict ? MachineIommu.Strict : MachineIommu.None,
                Arguments =
                [
                    "-smp", processors.ToString(CultureInfo.InvariantCulture), "-drive", $"if=none,id=disk,format=raw,file={theirs}",
                    "-device", "nvme,serial=qemu,drive=disk,logical_block_size=4096,physical_block_size=4096",
                ],
            });
            await machine.Output("until [ -b /dev/nvme0n1 ] && [ -b /dev/nvme1n1 ]; do usleep 10000; done");
            string first = await machine.Output("cat /sys/class/nvme/nvme0/model");
            (string sample, string qemu) = first.StartsWith("VfioUser", StringComparison.Ordinal) ? ("nvme0n1", "nvme1n1") : ("nvme1n1", "nvme0n1");
            foreach (string disk in new[] { sample, qemu })
                await machine.Output($"dd if=/dev/zero of=/dev/{disk} bs=1M oflag=direct 2>/dev/null; true", Timeout);
            DisksInGuest disks = new(machine, sample, qemu);
            foreach (InGuestRow row in isStrict ? Translated : Direct)
                await disks.Measure(row);
        }
        finally
        {
            File.Delete(ours);
            File.Delete(theirs);
            folder.Delete(recursive: true);
        }
    }
}
