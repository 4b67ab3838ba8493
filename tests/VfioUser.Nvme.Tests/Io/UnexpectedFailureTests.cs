using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Io;

/// <summary>Disks that throw what no disk should.</summary>
public class UnexpectedFailureTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Exception_fails_its_command_and_neither_the_controller_nor_its_reset(bool blocks)
    {
        ScriptedDisk disk = new(1 << 20, blocks) { OnWrite = () => throw new InvalidOperationException("a mistake in the disk") };
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        Completion completion = queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage()));

        completion.Status.Should().Be(Status.InternalError);
        machine.Log.Should().ContainSingle().Which.Should().Contain("a mistake in the disk");
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
        machine.Driver.HasFailed.Should().BeFalse();
        machine.Driver.Disable();
        machine.Driver.Enable();
        machine.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Exception_in_a_burst_leaves_the_other_commands_as_they_are()
    {
        int writes = 0;
        ScriptedDisk disk = new(1 << 20, blocks: false)
        {
            OnWrite = () =>
            {
                if (++writes == 4)
                    throw new InvalidOperationException("a mistake in the disk");
            },
        };
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        for (ulong lba = 0; lba < 8; lba++)
            queue.Put(NewCommand.Io(IoOpcode.Write, lba, 1, machine.NewPage()));
        queue.Ring();

        Status[] ended = [.. Enumerable.Range(0, 8).Select(_ => queue.Take().Status)];

        ended.Should().ContainSingle(status => status == Status.InternalError);
        ended.Count(status => status == Status.Success).Should().Be(7);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Memory_that_is_used_up_is_a_full_disk(bool blocks)
    {
        ScriptedDisk disk = new(1 << 20, blocks) { OnWrite = () => GC.KeepAlive(new byte[int.MaxValue]) };
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        for (int i = 0; i < 10; i++)
        {
            Completion completion = queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage()));

            completion.Status.Should().Be(Status.CapacityExceeded);
            completion.DoNotRetry.Should().BeTrue();
        }
        machine.Driver.HasFailed.Should().BeFalse();
    }

    [Theory]
    [InlineData(typeof(UnauthorizedAccessException), Status.WriteFault)] // EPERM of an immutable file
    [InlineData(typeof(IOException), Status.WriteFault)]
    [InlineData(typeof(InvalidOperationException), Status.InternalError)]
    public void Format_that_throws_fails_and_the_admin_queue_goes_on(Type exception, object status)
    {
        ScriptedDisk disk = new(1 << 20) { OnWrite = () => throw (Exception)Activator.CreateInstance(exception)! };
        using Machine machine = new(disks: [disk]);

        Completion format = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1));

        format.Status.Should().Be((Status)status);
        machine.Page(NewCommand.Identify(1, default))[77].Should().Be(7);
        machine.Driver.HasFailed.Should().BeFalse();
        machine.Driver.Disable();
        machine.Driver.Enable();
        machine.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Shutdown_is_over_even_if_a_flush_throws()
    {
        ScriptedDisk disk = new(1 << 20) { OnFlush = () => throw new InvalidOperationException("a mistake in the disk") };
        using Machine machine = new(disks: [disk]);

        machine.Driver.Shutdown();

        machine.Driver.HasFailed.Should().BeFalse();
        machine.Log.Should().Contain(line => line.Contains("a mistake in the disk"));
    }
}
