using FluentAssertions;
using Verilog;
using Verilog.Tests.Support;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Verilog;

/// <summary>Hardware that Verilator simulates, under a driver in user space: registers, memory behind an IOMMU, interrupts, a reset.</summary>
public class CopyCardGuestTests
{
    private static readonly Initramfs Guest = new(
        modules: ["vfio-pci", "vfio_iommu_type1"],
        programs: ["python3"],
        files: () => [Script.PathOf("copy-driver.py")]);

    [VmVerilatorFact]
    public async Task Driver_in_a_guest_has_simulated_hardware_copy_and_sum_its_memory()
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        await using var served = new ServedDevice(card);
        await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions
        {
            Guest = Guest,
            SocketPaths = [served.SocketPath],
            Iommu = MachineIommu.Strict,
        });

        string result = await machine.Output(
            "a=$(basename $(dirname $(grep -l 0x00d4 /sys/bus/pci/devices/*/device))); p=/sys/bus/pci; " +
            "echo vfio-pci >$p/devices/$a/driver_override; echo $a >$p/drivers_probe; python3 -I -S /files/copy-driver.py $a");

        result.Should().Be("copy driver: done");
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class VmVerilatorFactAttribute : FactAttribute
    {
        public VmVerilatorFactAttribute() =>
            Skip = (VmFolder.IsRequired ? null : VmFolder.Missing) ?? (Models.IsRequired ? null : Models.Missing);
    }
}
