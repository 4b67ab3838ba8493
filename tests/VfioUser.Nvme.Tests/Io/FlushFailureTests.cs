using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Io;

/// <summary>The kernel tells of lost writes once, to one caller. A flush that succeeds after that says nothing.</summary>
public class FlushFailureTests
{
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;

    private static ScriptedDisk FailingOnce(int errno = 5)
    {
        ScriptedDisk disk = new(1 << 20);
        disk.OnFlush = () =>
        {
            disk.OnFlush = () => { };
            throw new IOException("the disk lost what was written", errno);
        };
        return disk;
    }

    [Fact]
    public void Failed_flush_stays_failed_and_is_not_to_be_retried()
    {
        using Machine machine = new(disks: [FailingOnce()]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage())));

        Completion first = queue.Execute(NewCommand.Io(IoOpcode.Flush));
        Completion second = queue.Execute(NewCommand.Io(IoOpcode.Flush));
        Completion ofAll = queue.Execute(NewCommand.Io(IoOpcode.Flush, nsid: 0xFFFF_FFFF));

        foreach (Completion flush in (Completion[])[first, second, ofAll])
        {
            flush.Status.Should().Be(Status.WriteFault);
            flush.DoNotRetry.Should().BeTrue("the retry would find nothing left to write");
        }
    }

    [Fact]
    public void No_write_is_durable_after_a_failed_flush()
    {
        using Machine machine = new(disks: [FailingOnce()]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        queue.Execute(NewCommand.Io(IoOpcode.Flush));

        Completion forced = queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage(), fua: true));
        Completion cacheOff = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 6, dword11: 0));
        Completion uncached = queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage()));
        Completion format = machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1));

        foreach (Completion write in (Completion[])[forced, cacheOff, uncached, format])
        {
            write.Status.Should().Be(Status.WriteFault);
            write.DoNotRetry.Should().BeTrue();
        }
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
    }

    [Fact]
    public void Write_that_is_flushed_in_vain_is_not_to_be_retried()
    {
        using Machine machine = new(disks: [FailingOnce()]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        Completion forced = queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage(), fua: true));

        forced.Status.Should().Be(Status.WriteFault);
        forced.DoNotRetry.Should().BeTrue("what else was in the cache is lost, too");
    }

    [Fact]
    public void Flush_beside_one_that_fails_fails_too()
    {
        ScriptedDisk disk = new(1 << 20);
        using SemaphoreSlim flushing = new(0);
        using SemaphoreSlim released = new(0);
        int flushes = 0;
        disk.OnFlush = () =>
        {
            if (Interlocked.Increment(ref flushes) > 1)
                return;
            flushing.Release();
            released.Wait();
            throw new IOException("the disk lost what was written");
        };
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        queue.Submit(NewCommand.Io(IoOpcode.Flush));
        flushing.Wait(TimeSpan.FromSeconds(60)).Should().BeTrue();

        queue.Submit(NewCommand.Io(IoOpcode.Flush));
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        Completion read = queue.Take();
        released.Release();
        Completion[] both = [queue.Take(), queue.Take()];

        read.Status.Should().Be(Status.Success);
        both.Should().OnlyContain(flush => flush.Status == Status.WriteFault);
    }

    [Fact]
    public void Flushes_that_wait_for_one_another_are_one()
    {
        ScriptedDisk disk = new(1 << 20);
        using SemaphoreSlim flushing = new(0);
        using SemaphoreSlim released = new(0);
        int flushes = 0;
        disk.OnFlush = () =>
        {
            Interlocked.Increment(ref flushes);
            flushing.Release();
            released.Wait();
        };
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        queue.Submit(NewCommand.Io(IoOpcode.Flush));
        flushing.Wait(TimeSpan.FromSeconds(60)).Should().BeTrue();

        for (int i = 0; i < 8; i++)
            queue.Submit(NewCommand.Io(IoOpcode.Flush));
        queue.Submit(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        Completion read = queue.Take();
        bool early = queue.TryTake(out _);
        released.Release(100);
        for (int i = 0; i < 9; i++)
            NvmeDriver.Expect(queue.Take());

        read.SqId.Should().Be(1);
        early.Should().BeFalse("a flush that began before the command does not count for it");
        flushes.Should().BeInRange(2, 9);
    }

    [Theory]
    [InlineData(NoSpace)]
    [InlineData(QuotaExceeded)]
    public void Disk_that_is_full_has_its_own_status(int errno)
    {
        ScriptedDisk disk = new(1 << 20) { OnWrite = () => throw new IOException("full", errno) };
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        Completion completion = queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage()));

        completion.Status.Should().Be(Status.CapacityExceeded);
        completion.DoNotRetry.Should().BeTrue();
        machine.Controller.Statistics.MediaErrors.Should().Be(0, "a disk that is full has no error");
    }

    [Fact]
    public void Failed_flush_is_a_critical_warning()
    {
        using Machine machine = new(disks: [FailingOnce()]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 0x0B, dword11: 1 << 2)));
        ushort request = machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));

        queue.Execute(NewCommand.Io(IoOpcode.Flush));

        Completion told = machine.Admin.Take();
        told.CommandId.Should().Be(request);
        told.Result.Should().Be(0x0002_0001u, "SMART: the reliability is degraded");
        byte[] page = machine.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0xFFFF_FFFF, default, (uint)LogPageId.Smart | 127u << 16));
        (page[0] & 1 << 2).Should().Be(1 << 2);
        machine.Log.Should().ContainSingle().Which.Should().Contain("lost writes");
    }
}
