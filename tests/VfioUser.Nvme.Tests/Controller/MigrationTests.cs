using Nvme.Driver;
using VfioUser.Client;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Controller;

public class MigrationTests
{
    [Theory]
    [InlineData(NvmeDoorbellKind.Trapped, false, true)]
    [InlineData(NvmeDoorbellKind.Trapped, true, true)]
    [InlineData(NvmeDoorbellKind.Mapped, false, true)]
    [InlineData(NvmeDoorbellKind.Trapped, false, false)]
    public void Queues_go_on_at_the_target_where_they_stopped_at_the_source(NvmeDoorbellKind doorbells, bool shadow, bool msiX)
    {
        MemoryDisk disk = new(8 << 20);
        NvmeControllerOptions options = new() { Doorbells = doorbells };
        using Machine source = new(options: options, disks: [disk], msiX: msiX);
        DriverQueue queue = source.Driver.CreateQueue(1, 8);
        if (shadow)
            source.Driver.UseShadowDoorbells();
        for (int i = 0; i < 11; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, (ulong)i, 1, source.Guest.Place(Machine.Pattern(512, i)))));
        NvmeDriver.Expect(source.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 5, dword11: 42)));

        using NvmeController target = new([disk], options);
        using TestGuest guest = source.Guest.MigrateTo(target);
        using NvmeDriver driver = NvmeDriver.Moved(source.Driver, guest);
        DriverQueue moved = driver.Move(queue);
        VfioUser.Iova page = guest.Memory.Allocate(512);
        for (int i = 0; i < 11; i++)
        {
            NvmeDriver.Expect(moved.Execute(NewCommand.Io(IoOpcode.Read, (ulong)i, 1, page)));
            guest.Memory.ReadBytes(page, 512).Should().Equal(Machine.Pattern(512, i));
        }

        driver.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 5)).Result.Should().Be(42u);
    }

    [Fact]
    public void Events_errors_counters_and_vectors_move()
    {
        MemoryDisk disk = new(8 << 20);
        using Machine source = new(disks: [disk]);
        DriverQueue queue = source.Driver.CreateQueue(1);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1000, source.NewPage()) with { Flags = 1 << 6, Prp1 = source.Guest.Memory.Allocate(512_000).Value, Prp2 = 512_000 }));
        for (int i = 0; i < 70; i++)
            queue.Execute(NewCommand.Io(IoOpcode.Read, 1 << 20, 1)).Status.Should().Be(Status.LbaOutOfRange);
        NvmeDriver.Expect(source.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 9, dword11: 1 | 1 << 16)));
        source.Guest.Bar0.Write(0x1000 + 3 * 8, 1u); // a queue that there is not
        byte[] errors = source.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0, default, (uint)LogPageId.Error | 1 << 15 | 1023u << 16));
        byte[] smart = source.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0, default, (uint)LogPageId.Smart | 1 << 15 | 127u << 16));

        using NvmeController target = new([disk]);
        using TestGuest guest = source.Guest.MigrateTo(target);
        using NvmeDriver driver = NvmeDriver.Moved(source.Driver, guest);
        byte[] Log(LogPageId page, uint dwords)
        {
            VfioUser.Iova at = guest.Memory.Allocate(4096);
            NvmeDriver.Expect(driver.Admin.Execute(NewCommand.Admin(AdminOpcode.GetLogPage, 0, at, (uint)page | 1 << 15 | (dwords - 1) << 16)));
            return guest.Memory.ReadBytes(at, (int)dwords * 4);
        }

        Log(LogPageId.Error, 1024).Should().Equal(errors);
        Log(LogPageId.Smart, 128).Skip(32).Take(64).Should().Equal(smart.Skip(32).Take(64));
        driver.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 9, dword11: 1)).Result.Should().Be(1 | 1 << 16);
        driver.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        driver.Admin.Take().Result.Should().Be(0x0001_0000u, "the event waited for a request");
    }

    [Fact]
    public void Unreadable_blocks_and_logs_move()
    {
        MemoryDisk disk = new(8 << 20);
        using Machine source = new(disks: [disk]);
        NvmeDriver.Expect(source.Driver.CreateQueue(1).Execute(NewCommand.Io(IoOpcode.WriteUncorrectable, 5)));
        NvmeDriver.Expect(source.Admin.Execute(NewCommand.Admin(AdminOpcode.DeviceSelfTest, 1, dword10: (uint)SelfTestKind.Extended)));
        Command test = NewCommand.Admin(AdminOpcode.GetLogPage, 0, default, (uint)LogPageId.DeviceSelfTest | (SelfTests.PageSize / 4 - 1u) << 16);
        Command events = NewCommand.Admin(AdminOpcode.GetLogPage, 0, default, (uint)LogPageId.PersistentEvents | 1 << 8 | 1023u << 16);
        while (source.Page(test)[0] != 0)
            Thread.Yield();
        byte[] tested = source.Page(test), happened = source.Page(events);

        using NvmeController target = new([disk]);
        using TestGuest guest = source.Guest.MigrateTo(target);
        using NvmeDriver driver = NvmeDriver.Moved(source.Driver, guest);
        byte[] Log(Command command, int length)
        {
            VfioUser.Iova at = guest.Memory.Allocate(4096);
            NvmeDriver.Expect(driver.Admin.Execute(command with { Prp1 = at.Value }));
            return guest.Memory.ReadBytes(at, length);
        }

        DriverQueue queue = driver.CreateQueue(2);
        queue.Execute(NewCommand.Io(IoOpcode.Read, 5, 1, guest.Memory.Allocate(512))).Status.Should().Be(Status.UnrecoveredReadError);
        Log(test, SelfTests.PageSize).Should().Equal(tested.Take(SelfTests.PageSize));
        Log(events, 4096).Skip(512).Should().Equal(happened.Skip(512), "the events");
    }

    [Fact]
    public void Polled_queue_whose_vector_is_none_moves_too()
    {
        MemoryDisk disk = new(8 << 20);
        using Machine source = new(disks: [disk]);
        DriverQueue queue = new(source.Driver, 1, 16, null);
        NvmeDriver.Expect(source.Admin.Execute(NewCommand.CreateCompletionQueue(queue, 0xFFFF, interrupts: false)));
        NvmeDriver.Expect(source.Admin.Execute(NewCommand.CreateSubmissionQueue(queue)));
        using NvmeController target = new([disk]);

        using TestGuest guest = source.Guest.MigrateTo(target);

        using NvmeDriver driver = NvmeDriver.Moved(source.Driver, guest);
        NvmeDriver.Expect(driver.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 1)));
    }

    [Fact]
    public async Task Commands_in_flight_are_completed_before_the_state_is_saved()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        for (int i = 0; i < 4; i++)
            queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        queue.Ring();
        for (int i = 0; i < 4; i++)
            disk.WaitForAccess();

        Task<byte[]> saving = Task.Run(() => machine.Guest.Migration.Save());
        bool early = saving.IsCompleted;
        disk.Release();
        await saving.WaitAsync(TimeSpan.FromSeconds(60));

        early.Should().BeFalse();
        for (int i = 0; i < 4; i++)
            queue.TryTake(out _, ring: false).Should().BeTrue();
    }

    [Fact]
    public void Save_that_is_called_off_leaves_a_controller_that_works_on()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);

        for (int i = 0; i < 5; i++)
        {
            machine.Guest.Migration.Save().Should().NotBeEmpty();
            machine.Guest.Migration.Resume();
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        }
    }

    [Fact]
    public void Controller_that_was_never_enabled_moves_too()
    {
        using Machine source = new(disks: [new MemoryDisk(1 << 20, "same")], enable: false);
        using Machine target = new(disks: [new MemoryDisk(1 << 20, "same")], enable: false);

        target.Guest.Migration.Restore(source.Guest.Migration.Save());
        target.Driver.Enable();

        target.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Controller_with_other_disks_is_refused_and_works_after_a_reset()
    {
        using Machine source = new();
        using Machine target = new(disks: [new MemoryDisk(1 << 20)]);
        byte[] state = source.Guest.Migration.Save();

        FluentActions.Invoking(() => target.Guest.Migration.Restore(state)).Should().Throw<VfioUserException>();
        target.Guest.Reset();
        target.Driver.Enable();

        target.Driver.Status.Should().Be(1);
    }
}
