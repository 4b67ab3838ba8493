using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Controller;

/// <summary>What happens to commands that wait for a disk.</summary>
public class InFlightTests
{
    [Fact]
    public void Registers_and_admin_queue_answer_while_the_disk_hangs()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        disk.WaitForAccess();

        byte[] page = machine.Page(NewCommand.Identify(1, default));

        page[77].Should().Be(7);
        queue.TryTake(out _).Should().BeFalse();
        disk.Release();
        NvmeDriver.Expect(queue.Take());
    }

    [Fact]
    public void Disk_that_hangs_after_it_was_fast_holds_up_neither_registers_nor_the_admin_queue()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        disk.Release();
        for (int i = 0; i < 500; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
        disk.Hold();
        for (ulong lba = 0; lba < 8; lba++)
            queue.Put(NewCommand.Io(IoOpcode.Read, lba, 1, machine.NewPage()));
        queue.Ring();
        disk.WaitForAccess();

        byte[] page = machine.Page(NewCommand.Identify(1, default));

        page[77].Should().Be(7);
        queue.TryTake(out _).Should().BeFalse();
        disk.Release();
        for (int i = 0; i < 8; i++)
            NvmeDriver.Expect(queue.Take());
    }

    [Fact]
    public void As_many_commands_wait_for_the_disk_at_one_time_as_there_are_threads()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk], options: new NvmeControllerOptions { DiskThreads = 8 });
        DriverQueue queue = machine.Driver.CreateQueue(1);
        for (ulong lba = 0; lba < 8; lba++)
            queue.Put(NewCommand.Io(IoOpcode.Read, lba, 1, machine.NewPage()));
        queue.Ring();

        for (int i = 0; i < 8; i++)
            disk.WaitForAccess();
        disk.Release();

        for (int i = 0; i < 8; i++)
            NvmeDriver.Expect(queue.Take());
    }

    [Fact]
    public void Deleted_queue_completes_what_was_fetched_before_it_goes()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        for (int i = 0; i < 4; i++)
            queue.Put(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage()));
        queue.Ring();
        for (int i = 0; i < 4; i++)
            disk.WaitForAccess();

        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.DeleteSubmissionQueue, dword10: 1));
        bool early = false;
        for (int i = 0; i < 3; i++)
        {
            disk.ReleaseOne();
            NvmeDriver.Expect(queue.Take());
            early |= machine.Admin.TryTake(out _);
        }
        disk.Release();
        NvmeDriver.Expect(machine.Admin.Take());

        early.Should().BeFalse("one command is still with the disk");
        queue.TryTake(out Completion last).Should().BeTrue("what was fetched is completed before the queue is deleted");
        last.Status.Should().Be(Status.Success);
    }

    [Fact]
    public void Disabling_waits_for_the_disk_and_then_touches_the_guest_no_more()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.Guest.Place(Machine.Pattern(512));
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, page));
        disk.WaitForAccess();

        machine.Guest.Bar0.Write(0x14, 0u);
        uint during = machine.Driver.Status;
        disk.Release();
        machine.Driver.WaitForStatus(status => status == 0);

        (during & 1).Should().Be(1, "the controller is not reset before its commands have ended");
        queue.TryTake(out _).Should().BeFalse();
        machine.Read(page, 512).Should().Equal(Machine.Pattern(512));
        machine.Driver.Enable();
        NvmeDriver.Expect(machine.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.Read, 0, 1, page)));
    }

    [Fact]
    public void Device_reset_does_not_wait_for_the_disk_but_the_next_start_does()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.Guest.Place(Machine.Pattern(512));
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, page));
        disk.WaitForAccess();

        machine.Guest.Reset();
        machine.Guest.Bar0.Write(0x24, 0x001F_001Fu);
        machine.Guest.Bar0.Write(0x28, machine.Admin.Submissions.Value);
        machine.Guest.Bar0.Write(0x30, machine.Admin.Completions.Value);
        machine.Guest.Bar0.Write(0x14, NvmeDriver.EnabledConfiguration);
        uint during = machine.Driver.Status;
        disk.Release();
        machine.Driver.WaitForStatus(status => status == 1);

        during.Should().Be(0);
        queue.TryTake(out _).Should().BeFalse();
        machine.Read(page, 512).Should().Equal(Machine.Pattern(512));
    }

    [Theory]
    [InlineData((byte)IoOpcode.Read, Status.UnrecoveredReadError)]
    [InlineData((byte)IoOpcode.Write, Status.WriteFault)]
    [InlineData((byte)IoOpcode.WriteZeroes, Status.WriteFault)]
    public void Broken_disk_fails_the_command_and_nothing_else(byte opcode, object status)
    {
        using HeldDisk disk = new(1 << 20, failing: true);
        disk.Release();
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        Completion completion = queue.Execute(NewCommand.Io((IoOpcode)opcode, 0, 1, machine.NewPage()));

        completion.Status.Should().Be((Status)status);
        completion.DoNotRetry.Should().BeFalse();
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        machine.Controller.Statistics.MediaErrors.Should().Be(1);
    }

    [Fact]
    public async Task Server_that_stops_waits_for_commands_that_wait_for_the_disk()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        disk.WaitForAccess();

        var stopping = Task.Run(machine.Guest.Dispose);
        Task first = await Task.WhenAny(stopping, Task.Delay(TimeSpan.FromMilliseconds(100)));
        disk.Release();
        await stopping;

        first.Should().NotBeSameAs(stopping, "the disk may be disposed after the server has stopped");
        using var next = VfioUser.Testing.TestGuest.Attach(machine.Controller);
        using NvmeDriver driver = new(next);
        driver.Enable();
        driver.IsReady.Should().BeTrue();
    }

    [Fact]
    public void Force_unit_access_and_a_cache_that_is_off_make_each_write_durable()
    {
        using HeldDisk disk = new(1 << 20);
        disk.Release();
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.NewPage();

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, page)));
        int plain = disk.Flushes;
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, page, fua: true)));
        int forced = disk.Flushes;
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 6, dword11: 0)));
        int switchedOff = disk.Flushes;
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, page)));

        int uncached = disk.Flushes;
        Iova ranges = machine.Guest.Place(System.Runtime.InteropServices.MemoryMarshal.AsBytes<DsmRange>([new(0, 1, 0)]));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.DatasetManagement, 0, prp1: ranges) with { Dword10 = 0, Dword11 = 4 }));
        int trimmed = disk.Flushes;
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 6, dword11: 1)));
        foreach (IoOpcode opcode in (IoOpcode[])[IoOpcode.Read, IoOpcode.Compare, IoOpcode.Verify])
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(opcode, 0, 1, page, fua: true)));

        plain.Should().Be(0);
        forced.Should().Be(1);
        switchedOff.Should().Be(2, "what is in the cache must not stay there");
        uncached.Should().Be(3);
        trimmed.Should().Be(4);
        disk.Flushes.Should().Be(7, "what is read with force unit access is durable");
    }
}
