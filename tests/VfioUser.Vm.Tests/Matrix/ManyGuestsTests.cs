using System.Globalization;
using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;
using VfioUser.Vm.Tests.Nvme;

namespace VfioUser.Vm.Tests.Matrix;

/// <summary>Several guests at once, each with a disk of its own that this process serves.</summary>
public class ManyGuestsTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(30);

    // few in CI; the long run has 36
    private static int Guests => int.Parse(Environment.GetEnvironmentVariable("VFIO_USER_VM_GUESTS") ?? "3", CultureInfo.InvariantCulture);

    [VmFact]
    public Task Each_guest_has_its_own_data() => Task.WhenAll(Enumerable.Range(0, Guests).Select(_ => Live()));

    private static async Task Live()
    {
        await using var served = new ServedDisk(new MemoryDisk(16 << 20));
        await using VirtualMachine machine = await VirtualMachine.Start(NvmeGuest.Options(served.SocketPath) with { BootTimeout = Timeout });
        await machine.WaitForDisk();

        await machine.Output($"fio --name=all --filename={NvmeGuest.Disk} --direct=1 --ioengine=libaio --iodepth=8 --thread --rw=randwrite --bs=16k --verify=crc32c --verify_fatal=1 --minimal", Timeout);

        await machine.PowerOff();
        served.Failures.Should().BeEmpty();
    }
}
