using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Io;

/// <summary>Disks that answer after their call has returned.</summary>
public class AsynchronousDiskTests
{
    private static readonly NvmeControllerOptions OneThread = new() { IoQueues = 1, Workers = 1, DiskThreads = 1 };

    [Fact]
    public async Task Requests_in_flight_take_no_thread_each_and_end_in_any_order()
    {
        LaterDisk disk = new(1 << 20);
        using Machine machine = new(options: OneThread, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1, 128);
        Iova[] pages = [.. Enumerable.Range(0, 100).Select(i => machine.Guest.Place(Machine.Pattern(512, i)))];
        for (int i = 0; i < pages.Length; i++)
            queue.Put(NewCommand.Io(IoOpcode.Write, (ulong)i, 1, pages[i]));

        queue.Ring();
        LaterDisk.Request[] requests = [.. pages.Select(_ => disk.Take())];
        bool early = queue.TryTake(out _);
        foreach (LaterDisk.Request request in requests.Reverse())
            request.Answer();
        ushort[] ids = [.. pages.Select(_ => NvmeDriver.Expect(queue.Take()).CommandId)];

        early.Should().BeFalse();
        ids.Should().OnlyHaveUniqueItems();
        byte[] block = new byte[512];
        using CancellationTokenSource over = new();
        Task answering = disk.AnswerUntil(over.Token);
        for (int i = 0; i < pages.Length; i++)
        {
            disk.Read(i * 512, block);
            block.Should().Equal(Machine.Pattern(512, i));
        }
        await over.CancelAsync();
        await answering;
    }

    [Fact]
    public async Task Commands_beyond_the_bound_stay_in_their_queue_until_others_end()
    {
        LaterDisk disk = new(1 << 20);
        using Machine machine = new(options: OneThread with { DiskCommands = 8 }, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1, 256);
        Iova page = machine.NewPage();
        for (int i = 0; i < 200; i++)
            queue.Put(NewCommand.Io(IoOpcode.Read, (ulong)i, 1, page));

        queue.Ring();
        LaterDisk.Request first = disk.Take();
        using CancellationTokenSource over = new();
        Task answering = disk.AnswerUntil(over.Token);
        for (int i = 0; i < 199; i++)
            NvmeDriver.Expect(queue.Take());
        first.Answer();
        NvmeDriver.Expect(queue.Take());
        await over.CancelAsync();
        await answering;

        disk.MostInFlight.Should().BeInRange(2, 8 + 32, "a worker has 32 for itself");
    }

    [Fact]
    public void Reset_drops_what_the_disk_answers_late_and_enables_after_it()
    {
        LaterDisk disk = new(1 << 20);
        using Machine machine = new(options: OneThread, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] mine = Machine.Pattern(512);
        Iova page = machine.Guest.Place(mine);
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, page));
        LaterDisk.Request request = disk.Take();

        machine.Guest.Reset();
        request.Answer();
        machine.Driver.Enable();

        machine.Read(page, 512).Should().Equal(mine);
        machine.Driver.Status.Should().Be(1);
    }

    [Theory]
    [InlineData(DiskError.Media, (ushort)Status.UnrecoveredReadError, (ushort)Status.WriteFault, false)]
    [InlineData(DiskError.NoSpace, (ushort)Status.CapacityExceeded, (ushort)Status.CapacityExceeded, true)]
    [InlineData(DiskError.WriteProtected, (ushort)Status.NamespaceWriteProtected, (ushort)Status.NamespaceWriteProtected, true)]
    [InlineData(DiskError.Integrity, (ushort)Status.GuardCheckError, (ushort)Status.GuardCheckError, true)]
    [InlineData(DiskError.NotReady, (ushort)Status.NamespaceNotReady, (ushort)Status.NamespaceNotReady, false)]
    public void Disk_says_why_it_fails_at_once_or_later(DiskError error, ushort read, ushort written, bool doNotRetry)
    {
        DiskException failure = new(error);
        LaterDisk later = new(1 << 20);
        ScriptedDisk atOnce = new(1 << 20, blocks: false) { OnRead = () => throw failure, OnWrite = () => throw failure };
        using Machine machine = new(options: OneThread, disks: [later, atOnce]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        foreach ((IoOpcode opcode, ushort expected) in new[] { (IoOpcode.Read, read), (IoOpcode.Write, written) })
        {
            queue.Submit(NewCommand.Io(opcode, 0, 1, machine.NewPage()));
            later.Take().Fail(failure);
            Completion answered = queue.Take();
            Completion thrown = queue.Execute(NewCommand.Io(opcode, 0, 1, machine.NewPage(), nsid: 2));

            answered.Status.Should().Be((Status)expected);
            thrown.Status.Should().Be((Status)expected);
            answered.DoNotRetry.Should().Be(doNotRetry);
        }
        machine.Driver.HasFailed.Should().BeFalse();
    }

    [Fact]
    public void Flush_and_durable_write_are_waited_for()
    {
        LaterDisk disk = new(1 << 20);
        using Machine machine = new(options: OneThread, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        queue.Submit(NewCommand.Io(IoOpcode.Flush));
        LaterDisk.Request flush = disk.Take();
        bool flushedEarly = queue.TryTake(out _);
        flush.Answer();
        NvmeDriver.Expect(queue.Take());
        queue.Submit(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage(), fua: true));
        disk.Take().Answer();
        LaterDisk.Request behind = disk.Take();
        bool writtenEarly = queue.TryTake(out _);
        behind.Answer();
        NvmeDriver.Expect(queue.Take());

        (flushedEarly || writtenEarly).Should().BeFalse();
    }

    [Fact]
    public void Aborted_command_ends_without_its_disk_and_others_go_on()
    {
        LaterDisk disk = new(1 << 20);
        using Machine machine = new(options: OneThread, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        ushort aborted = queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        disk.Take();
        ushort other = queue.Submit(NewCommand.Io(IoOpcode.Read, 1, 1, machine.NewPage()));
        LaterDisk.Request second = disk.Take();

        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.Abort, dword10: 1u | (uint)aborted << 16)));
        Completion completion = queue.Take();
        second.Answer();
        Completion next = queue.Take();

        (completion.CommandId, completion.Status).Should().Be((aborted, Status.AbortRequested));
        (next.CommandId, next.Status).Should().Be((other, Status.Success));
    }

    [Fact]
    public void Controller_comes_back_from_a_reset_although_a_disk_never_answers()
    {
        LaterDisk disk = new(1 << 20);
        using Machine machine = new(options: OneThread, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        disk.Take();

        machine.Driver.Disable();
        machine.Driver.Enable();

        machine.Driver.Status.Should().Be(1);
    }

    [Fact]
    public void Server_stops_although_a_disk_never_answers()
    {
        LaterDisk disk = new(1 << 20);
        Machine machine = new(options: OneThread, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        disk.Take();

        FluentActions.Invoking(machine.Dispose).Should().NotThrow();
    }

    [Fact]
    public void Deleting_a_queue_waits_for_its_commands_and_others_go_on()
    {
        LaterDisk disk = new(1 << 20);
        using Machine machine = new(options: OneThread with { IoQueues = 2 }, disks: [disk, new MemoryDisk(1 << 20)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        DriverQueue other = machine.Driver.CreateQueue(2);
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        LaterDisk.Request request = disk.Take();

        machine.Admin.Submit(NewCommand.Admin(AdminOpcode.DeleteSubmissionQueue, dword10: 1));
        NvmeDriver.Expect(other.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage(), nsid: 2)));
        bool early = machine.Admin.TryTake(out _);
        request.Answer();
        NvmeDriver.Expect(machine.Admin.Take());

        early.Should().BeFalse();
        NvmeDriver.Expect(queue.Take());
    }
}
