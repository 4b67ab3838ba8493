using FluentAssertions;
using VfioUser.Virtio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>A virtio device under Linux's own drivers: virtio_pci, virtio_ring, virtio-rng.</summary>
public class EntropyGuestTests
{
    private static readonly Initramfs Guest = new(modules: ["virtio-rng"], programs: []);

    [VmTheory]
    [InlineData(MachineMemory.SealedMemfd, MachineIommu.Strict)]
    [InlineData(MachineMemory.NotShared, MachineIommu.Strict)]
    public async Task Linux_reads_random_numbers_through_unbind_rescan_and_reboot(MachineMemory memory, MachineIommu iommu)
    {
        using VirtioEntropy device = new();
        await using ServedDevice served = new(device, new VfioUserServerOptions { RegisterMap = true });
        await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions
        {
            Guest = Guest,
            SocketPaths = [served.SocketPath],
            Memory = memory,
            Iommu = iommu,
        });

        await ReadsRandomNumbers(machine, device);
        for (int i = 0; i < 5; i++)
        {
            await machine.Output("echo virtio0 >/sys/bus/virtio/drivers/virtio_rng/unbind && echo virtio0 >/sys/bus/virtio/drivers/virtio_rng/bind");
            await ReadsRandomNumbers(machine, device);
        }
        for (int i = 0; i < 5; i++)
        {
            await machine.Output("d=$(readlink -f /sys/bus/virtio/devices/virtio*/..); echo 1 >$d/remove; echo 1 >/sys/bus/pci/rescan");
            await ReadsRandomNumbers(machine, device);
        }
        await machine.Reboot();
        await ReadsRandomNumbers(machine, device);
        (await machine.Output("dmesg")).Should().NotContainAny("nobody cared", "DMAR: [DMA");
        await machine.PowerOff();
    }

    private static async Task ReadsRandomNumbers(VirtualMachine machine, VirtioEntropy device)
    {
        (await machine.Output("i=0; until grep -q virtio_rng /sys/class/misc/hw_random/rng_current || [ $i = 500 ]; do usleep 10000; i=$((i+1)); done; cat /sys/class/misc/hw_random/rng_current"))
            .Should().StartWith("virtio_rng");
        string sums = await machine.Output("for i in 1 2 3 4; do dd if=/dev/hwrng bs=4096 count=4 2>/dev/null | tee /tmp/r | wc -c; sha256sum </tmp/r; done");
        string[] lines = sums.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        lines.Where((_, i) => i % 2 == 0).Should().OnlyContain(size => int.Parse(size, System.Globalization.CultureInfo.InvariantCulture) > 0);
        lines.Where((_, i) => i % 2 == 1).Should().HaveCount(4).And.OnlyHaveUniqueItems();
        device.Status.Should().Be(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk | VirtioStatus.DriverOk);
        ((VirtioFeatures)device.Features).Should().HaveFlag(VirtioFeatures.Version1).And.HaveFlag(VirtioFeatures.RingPacked);
    }
}
