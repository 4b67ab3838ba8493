using FluentAssertions;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests;

public class VirtualMachineTests
{
    [VmFact]
    public async Task Guest_runs_commands_and_powers_off()
    {
        await using VirtualMachine machine = await VirtualMachine.Start(new Initramfs(modules: [], programs: []));

        CommandResult good = await machine.Run("echo one; printf two");
        CommandResult bad = await machine.Run("echo oh no >&2; exit 3");
        await machine.PowerOff();

        good.Should().Be(new CommandResult(0, "one\ntwo"));
        bad.Should().Be(new CommandResult(3, "oh no"));
    }

    [VmFact]
    public async Task Waiting_ends_with_the_console_when_the_guest_panics()
    {
        await using VirtualMachine machine = await VirtualMachine.Start(new Initramfs(modules: [], programs: []));

        Func<Task> crash = () => machine.Run("echo c >/proc/sysrq-trigger");

        (await crash.Should().ThrowAsync<IOException>()).WithMessage("*the guest panicked*sysrq*");
    }
}
