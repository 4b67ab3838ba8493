using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>Several controllers in one guest: Linux refuses one whose subsystem and number it has already.</summary>
public class NvmeNamesTests
{
    private const int DiskSize = 16 << 20;

    [VmFact]
    public async Task Two_controllers_without_options_are_two_disks()
    {
        await using var first = new ServedDisk(new MemoryDisk(DiskSize));
        await using var second = new ServedDisk(new MemoryDisk(DiskSize));
        await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions
        {
            Guest = NvmeGuest.Initramfs,
            SocketPaths = [first.SocketPath, second.SocketPath],
        });

        string disks = await machine.Output("i=0; until [ -b /dev/nvme0n1 ] && [ -b /dev/nvme1n1 ] || [ $i = 1000 ]; do usleep 10000; i=$((i+1)); done; ls /dev/nvme*n1");
        string serials = await machine.Output("cat /sys/class/nvme/nvme0/serial /sys/class/nvme/nvme1/serial");
        string messages = await machine.Output("dmesg");

        disks.Should().Contain("/dev/nvme0n1").And.Contain("/dev/nvme1n1");
        serials.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Should().HaveCount(2).And.OnlyHaveUniqueItems();
        messages.Should().NotContain("Duplicate cntlid").And.NotContain("duplicate IDs");
        await machine.PowerOff();
    }
}
