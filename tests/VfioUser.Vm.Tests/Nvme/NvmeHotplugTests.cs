using System.Text.Json.Nodes;
using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>Controllers that come and go while the guest runs. Alone, for what this process holds is counted.</summary>
[CollectionDefinition(nameof(NvmeHotplugTests), DisableParallelization = true)]
[Collection(nameof(NvmeHotplugTests))]
public class NvmeHotplugTests
{
    private const string Disk = NvmeGuest.Disk;
    private const int Times = 20;
    private const int WarmUps = 3;
    private const long LargestGrowth = 16 << 20;

    [VmFact]
    public async Task Plugging_it_twenty_times_leaves_nothing_in_the_server()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nvme-");
        string qmpPath = Path.Combine(folder.FullName, "qmp.sock");
        try
        {
            // QEMU 11.1 aborts when it unplugs a vfio-user device with MSI-X: it takes a region from its container twice.
            await using var served = new ServedDisk(new MemoryDisk(16 << 20), msiX: false);
            await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions
            {
                Guest = NvmeGuest.Initramfs,
                QmpPath = qmpPath,
                Arguments = ["-device", "pcie-root-port,id=hotplug0,chassis=1"],
            });
            using QmpMonitor monitor = await QmpMonitor.Connect(qmpPath);
            List<Holdings> holdings = [];
            long memory = 0;

            for (int i = 0; i < Times; i++)
            {
                holdings.Add(await PlugUseAndUnplug(machine, monitor, served.SocketPath));
                memory = i == WarmUps ? Holdings.Memory : memory;
            }

            // Fewer is fine: what tests before this one left is closed meanwhile.
            Holdings first = holdings[WarmUps];
            holdings.Skip(WarmUps).Should().OnlyContain(later => later.Descriptors <= first.Descriptors && later.GuestMappings <= first.GuestMappings);
            (Holdings.Memory - memory).Should().BeLessThan(LargestGrowth);
            served.Failures.Should().BeEmpty();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // What is held is counted while the disk is in use: when it has gone, it takes a while until the server knows.
    private static async Task<Holdings> PlugUseAndUnplug(VirtualMachine machine, QmpMonitor monitor, string socketPath)
    {
        JsonObject device = QemuArguments.Device(socketPath, waitsForWrites: true); // INTx
        device["id"] = "disk";
        device["bus"] = "hotplug0";
        await monitor.Execute("device_add", device);
        await machine.WaitForDisk();
        await machine.Output($"dd if=/dev/urandom of=/tmp/data bs=64k count=4 2>/dev/null; dd if=/tmp/data of={Disk} bs=64k oflag=direct 2>/dev/null && dd if={Disk} bs=64k count=4 iflag=direct 2>/dev/null | cmp - /tmp/data");
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Holdings holdings = Holdings.Count();
        await monitor.Execute("device_del", new JsonObject { ["id"] = "disk" });
        await monitor.WaitForEvent("DEVICE_DELETED", "disk");
        return holdings;
    }
}
