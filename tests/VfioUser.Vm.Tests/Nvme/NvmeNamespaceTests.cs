using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>Namespaces that come, go and change under Linux.</summary>
public class NvmeNamespaceTests
{
    private const string Second = "/dev/nvme0n2";

    private static Task<string> Wait(VirtualMachine machine, string condition) =>
        machine.Output($"i=0; until {condition} || [ $i = 1000 ]; do usleep 10000; i=$((i+1)); done; {condition}");

    [VmFact]
    public async Task Disks_appear_and_disappear_in_a_running_guest()
    {
        await using var served = new ServedDisk(new MemoryDisk(64 << 20));
        await using VirtualMachine machine = await NvmeGuest.Start(served.SocketPath);

        for (int round = 0; round < 3; round++)
        {
            using var disk = new MemoryDisk(32 << 20);
            uint id = served.Controller.AddNamespace(new NvmeNamespace(disk));
            await Wait(machine, $"[ -b {Second} ]");
            await machine.Output($"dd if=/dev/urandom of=/tmp/data bs=1M count=4 2>/dev/null && dd if=/tmp/data of={Second} bs=1M oflag=direct 2>/dev/null && dd if={Second} bs=1M count=4 iflag=direct 2>/dev/null | cmp - /tmp/data");

            await served.Controller.RemoveNamespaceAsync(id);
            await Wait(machine, $"[ ! -e {Second} ]");
        }

        await machine.Output($"dd if={NvmeGuest.Disk} of=/dev/null bs=1M count=8 iflag=direct 2>/dev/null");
        served.Failures.Should().BeEmpty();
        await machine.PowerOff();
    }

    [VmFact]
    public async Task Disk_that_is_removed_under_load_fails_its_programs_and_leaves_the_guest_alive()
    {
        await using var served = new ServedDisk(new MemoryDisk(64 << 20));
        await using VirtualMachine machine = await NvmeGuest.Start(served.SocketPath);
        using var disk = new MemoryDisk(32 << 20);
        uint id = served.Controller.AddNamespace(new NvmeNamespace(disk));
        await Wait(machine, $"[ -b {Second} ]");
        await machine.Output($"fio --name=j --filename={Second} --direct=1 --ioengine=libaio --iodepth=16 --rw=randrw --bs=4k --time_based --runtime=60 >/tmp/fio 2>&1 & echo started");
        await Wait(machine, "[ $(set -- $(cat /sys/block/nvme0n2/stat); echo $5) -gt 100 ]"); // writes

        await served.Controller.RemoveNamespaceAsync(id);
        await Wait(machine, $"[ ! -e {Second} ]");
        await machine.Output("wait; true");

        (await machine.Output($"dd if={NvmeGuest.Disk} of=/dev/null bs=1M count=8 iflag=direct 2>/dev/null && echo alive")).Should().Contain("alive");
        served.Failures.Should().BeEmpty();
        await machine.PowerOff();
    }

    [VmFact]
    public async Task Guest_detaches_and_attaches_a_namespace_by_itself()
    {
        await using var served = new ServedDisk(new MemoryDisk(64 << 20));
        await using VirtualMachine machine = await NvmeGuest.Start(served.SocketPath);

        await machine.Output("nvme detach-ns /dev/nvme0 -n 1 -c 0");
        await Wait(machine, $"[ ! -e {NvmeGuest.Disk} ]");
        string allocated = await machine.Output("nvme list-ns /dev/nvme0 --all");
        await machine.Output("nvme attach-ns /dev/nvme0 -n 1 -c 0");
        await machine.WaitForDisk();

        allocated.Should().Contain("0x1");
        await machine.PowerOff();
    }

    [VmFact]
    public async Task Guest_formats_a_disk_to_blocks_of_4096_bytes_and_back()
    {
        await using var served = new ServedDisk(new MemoryDisk(64 << 20));
        await using VirtualMachine machine = await NvmeGuest.Start(served.SocketPath);
        const string Size = "cat /sys/block/nvme0n1/queue/logical_block_size";

        await machine.Output($"dd if=/dev/urandom of={NvmeGuest.Disk} bs=1M count=4 oflag=direct 2>/dev/null");
        await machine.Output($"nvme format {NvmeGuest.Disk} --lbaf=1 --force");
        await Wait(machine, $"[ $({Size}) = 4096 ]");
        string formats = await machine.Output($"nvme id-ns {NvmeGuest.Disk}");
        await machine.Output($"cmp -n {64 << 20} {NvmeGuest.Disk} /dev/zero");
        await machine.Output($"mkfs.ext4 -q -F {NvmeGuest.Disk} && mkdir -p /mnt && mount {NvmeGuest.Disk} /mnt && dd if=/dev/urandom of=/mnt/file bs=1M count=4 2>/dev/null && umount /mnt && fsck.ext4 -f -n {NvmeGuest.Disk}");
        await machine.Output($"nvme format {NvmeGuest.Disk} --lbaf=0 --force");
        await Wait(machine, $"[ $({Size}) = 512 ]");
        string blocks = await machine.Output("cat /sys/block/nvme0n1/size");

        formats.Should().MatchRegex(@"lbaf  1 : ms:0   lbads:12 .*\(in use\)");
        blocks.Trim().Should().Be("131072");
        served.Failures.Should().BeEmpty();
        await machine.PowerOff();
    }
}
