using FluentAssertions;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests;

/// <summary>The GPIO card under Linux's own driver.</summary>
public class GpioGuestTests
{
    private static readonly Initramfs Guest = new(modules: ["gpio-pci-idio-16"], programs: ["gpioget", "gpioset", "gpiomon"]);

    [VmFact]
    public async Task Linux_binds_its_driver_sets_outputs_reads_inputs_and_gets_events()
    {
        await using var served = new ServedCard();
        await using VirtualMachine machine = await VirtualMachine.Start(Guest, served.SocketPath);

        (await machine.Output("cat /sys/bus/pci/drivers/pci-idio-16/0*/vendor")).Should().Be("0x494f");
        await UseAllOfTheCard(machine, served);
        await NoEventIsLostInAFlood(machine, served);
    }

    [VmFact]
    public async Task Card_works_again_after_the_guest_reboots()
    {
        await using var served = new ServedCard();
        await using VirtualMachine machine = await VirtualMachine.Start(Guest, served.SocketPath);
        await UseAllOfTheCard(machine, served);

        await machine.Reboot();

        served.Card.Outputs.Should().Be(0, "the reset switches them off, which the driver relies on");
        await UseAllOfTheCard(machine, served);
    }

    [VmFact]
    public async Task A_new_QEMU_attaches_after_one_was_killed()
    {
        await using var served = new ServedCard();
        await using (VirtualMachine first = await VirtualMachine.Start(Guest, served.SocketPath))
        {
            await UseAllOfTheCard(first, served);
            await first.Kill();
        }

        await using VirtualMachine second = await VirtualMachine.Start(Guest, served.SocketPath);

        (await second.Output("gpioget --numeric IIN3 IIN4")).Should().Be("1 0", "the card keeps its inputs while nobody is attached");
        await UseAllOfTheCard(second, served);
    }

    private static async Task UseAllOfTheCard(VirtualMachine machine, ServedCard served)
    {
        // -t 0: set and exit. The driver leaves lines as they are when they are released.
        await machine.Output("gpioset -t 0 OUT0=1 OUT3=1 OUT9=1 OUT15=1");
        await served.WaitForOutputs(0x8209);
        await machine.Output("gpioset -t 0 OUT0=0 OUT9=0 OUT10=1");
        await served.WaitForOutputs(0x8408);

        served.Card.Inputs = 0x8005;
        (await machine.Output("gpioget --numeric IIN0 IIN1 IIN2 IIN15")).Should().Be("1 0 1 1");

        await WithMonitor(machine, async () =>
        {
            served.Card.Inputs = 0x8008;
            await machine.WaitFor("^IIN3 rising$");
            served.Card.Inputs = 0x0008;
            await machine.WaitFor("^IIN15 falling$");
        });
    }

    private static Task NoEventIsLostInAFlood(VirtualMachine machine, ServedCard served) => WithMonitor(machine, async () =>
    {
        // Most of these come while the interrupt is masked, or between the driver's read of the status and its acknowledgement.
        for (int i = 0; i < 500; i++)
        {
            served.Card.Inputs = (ushort)(i & 1);
        }

        served.Card.Inputs = 0x1000;
        await machine.WaitFor("^IIN12 rising$");
    });

    private static async Task WithMonitor(VirtualMachine machine, Func<Task> body)
    {
        // All sixteen lines, always: the driver has one status bit for all, raises each line's event on every interrupt,
        // and (seen with 6.12) the kernel follows a null pointer for lines that nobody has asked for yet.
        string lines = string.Join(' ', Enumerable.Range(0, 16).Select(line => $"IIN{line}"));
        await machine.Output($"gpiomon --banner --unquoted -F '%l %E' {lines} >/dev/ttyS0 2>&1 &");
        await machine.WaitFor("^Monitoring lines");

        await body();

        await machine.Output("killall gpiomon && while pidof gpiomon; do :; done");
    }
}
