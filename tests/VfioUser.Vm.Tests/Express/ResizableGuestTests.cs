using FluentAssertions;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Express;

/// <summary>What Linux in QEMU sees of a card with resizable BARs and virtual functions.</summary>
public class ResizableGuestTests
{
    private static readonly Initramfs Guest = new(modules: [], programs: ["lspci"]);

    [VmFact]
    public async Task Guest_has_the_largest_BARs_can_resize_none_and_sees_no_virtual_functions()
    {
        var card = new ResizableCard();
        await using var served = new ServedDevice(card);
        await using VirtualMachine machine = await VirtualMachine.Start(Guest, served.SocketPath);
        await machine.Output("ln -s /sys/bus/pci/devices/$(lspci -D -d 1b36:00fd | cut -d' ' -f1) /run/card");

        string capabilities = await machine.Output("lspci -vv -d 1b36:00fd 2>/dev/null");
        CommandResult resized = await machine.Run("echo 6 >/run/card/resource2_resize");

        // QEMU gives a BAR the size of its region, and shows of the sizes only the one that the device has chosen
        capabilities.Should().MatchRegex(@"Region 2: Memory at \w+ \(64-bit, prefetchable\) \[size=64M\]")
            .And.Contain("BAR 2: current size: 16MB, supported: 16MB")
            .And.MatchRegex(@"Region 4: Memory at \w+ \(64-bit, prefetchable\) \[size=32M\]")
            .And.Contain("BAR 4: current size: 32MB, supported: 32MB");
        resized.ExitCode.Should().NotBe(0);
        card.Resizes.Should().Be(0);

        capabilities.Should().NotContain("SR-IOV");
        (await machine.Run("cat /run/card/sriov_totalvfs")).ExitCode.Should().NotBe(0);
        card.Functions.Count.Should().Be(0);
    }
}
