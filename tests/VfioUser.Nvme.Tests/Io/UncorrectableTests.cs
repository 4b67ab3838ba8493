using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Io;

/// <summary>Write Uncorrectable: blocks that cannot be read until they are written.</summary>
public class UncorrectableTests
{
    private static Command Mark(ulong lba, int blocks = 1) => NewCommand.Io(IoOpcode.WriteUncorrectable, lba, blocks);

    private static Status Read(Machine machine, DriverQueue queue, ulong lba, int blocks = 1) =>
        queue.Execute(NewCommand.Io(IoOpcode.Read, lba, blocks, machine.NewPage())).Status;

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // a disk that may block
    public void Marked_block_cannot_be_read_until_it_is_written(bool blocks)
    {
        using Machine machine = new(disks: [blocks ? new ScriptedDisk(1 << 20) : new MemoryDisk(1 << 20)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova data = machine.Guest.Place(Machine.Pattern(512));

        NvmeDriver.Expect(queue.Execute(Mark(8, 3)));
        Status[] before = [.. new ulong[] { 7, 8, 10, 11 }.Select(lba => Read(machine, queue, lba))];
        Status across = Read(machine, queue, 6, 4);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 9, 1, data)));
        Status[] after = [.. new ulong[] { 8, 9, 10 }.Select(lba => Read(machine, queue, lba))];

        before.Should().Equal(Status.Success, Status.UnrecoveredReadError, Status.UnrecoveredReadError, Status.Success);
        across.Should().Be(Status.UnrecoveredReadError);
        after.Should().Equal(Status.UnrecoveredReadError, Status.Success, Status.UnrecoveredReadError);
    }

    [Fact]
    public void Commands_that_read_fail_and_commands_that_write_repair()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.NewPage();
        machine.Guest.Memory.Write(page, new byte[4096]);
        Iova copied = machine.Guest.Place(System.Runtime.InteropServices.MemoryMarshal.AsBytes<CopyRange>([new CopyRange(0, 4, 0, 0, 0, 0)]));
        Iova trimmed = machine.Guest.Place(System.Runtime.InteropServices.MemoryMarshal.AsBytes<DsmRange>([new DsmRange(0, 1, 4)]));
        Command copyFrom = NewCommand.Io(IoOpcode.Copy, 100, 1, copied);
        Command copyTo = NewCommand.Io(IoOpcode.Copy, 4, 1, machine.Guest.Place(
            System.Runtime.InteropServices.MemoryMarshal.AsBytes<CopyRange>([new CopyRange(0, 50, 0, 0, 0, 0)])));
        Command trim = NewCommand.Io(IoOpcode.DatasetManagement, prp1: trimmed) with { Dword10 = 0, Dword11 = 4 };

        foreach (Command repair in new[] { NewCommand.Io(IoOpcode.Write, 4, 1, page), NewCommand.Io(IoOpcode.WriteZeroes, 4), copyTo, trim })
        {
            NvmeDriver.Expect(queue.Execute(Mark(4)));
            queue.Execute(NewCommand.Io(IoOpcode.Compare, 4, 1, page)).Status.Should().Be(Status.UnrecoveredReadError);
            queue.Execute(NewCommand.Io(IoOpcode.Verify, 0, 8)).Status.Should().Be(Status.UnrecoveredReadError);
            queue.Execute(copyFrom).Status.Should().Be(Status.UnrecoveredReadError);
            NvmeDriver.Expect(queue.Execute(repair));
            Read(machine, queue, 4).Should().Be(Status.Success);
        }

        NvmeDriver.Expect(queue.Execute(Mark(4)));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.FormatNvm, 1)));
        Read(machine, queue, 4).Should().Be(Status.Success);
    }

    [Fact]
    public void Compare_and_write_of_a_marked_block_writes_nothing()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova zeros = machine.Guest.Place(new byte[512]);
        NvmeDriver.Expect(queue.Execute(Mark(4)));

        queue.Put(NewCommand.Io(IoOpcode.Compare, 4, 1, zeros) with { Flags = 1 });
        queue.Put(NewCommand.Io(IoOpcode.Write, 4, 1, zeros) with { Flags = 2 });
        queue.Ring();

        new[] { queue.Take().Status, queue.Take().Status }.Should().Equal(Status.UnrecoveredReadError, Status.FailedFused);
        Read(machine, queue, 4).Should().Be(Status.UnrecoveredReadError);
    }

    [Fact]
    public void Marks_outlast_a_reset_and_fail_on_read_only_disks_and_beyond_the_end()
    {
        using Machine machine = new([new NvmeNamespace(new MemoryDisk(1 << 20)), new NvmeNamespace(new MemoryDisk(1 << 20)) { IsReadOnly = true }]);
        NvmeDriver.Expect(machine.Driver.CreateQueue(1).Execute(Mark(0)));

        machine.Driver.Disable();
        machine.Driver.Enable();
        DriverQueue queue = machine.Driver.CreateQueue(1);

        Read(machine, queue, 0).Should().Be(Status.UnrecoveredReadError);
        queue.Execute(Mark(0) with { Nsid = 2 }).Status.Should().Be(Status.NamespaceWriteProtected);
        queue.Execute(Mark(2047, 2)).Status.Should().Be(Status.LbaOutOfRange);
        queue.Execute(Mark(ulong.MaxValue, 2)).Status.Should().Be(Status.LbaOutOfRange);
        Read(machine, queue, 2047).Should().Be(Status.Success);
    }

    [Fact]
    public void Guest_that_marks_every_other_block_gets_no_memory_without_end()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);

        for (int i = 0; i < UncorrectableBlocks.MaxRanges; i++)
            NvmeDriver.Expect(queue.Execute(Mark((ulong)i * 4, 3)));
        Status tooMany = queue.Execute(Mark(1 << 13)).Status;
        for (int i = 0; i < UncorrectableBlocks.MaxRanges; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, (ulong)i * 4 + 1, 1, machine.NewPage())));
        Status joined = queue.Execute(Mark(0, 1 << 12)).Status;

        tooMany.Should().Be(Status.CapacityExceeded);
        joined.Should().Be(Status.Success, "all stretches become one");
        Read(machine, queue, 4095).Should().Be(Status.UnrecoveredReadError);
        Read(machine, queue, 4096).Should().Be(Status.Success);
    }

    [Fact]
    public void Stretches_are_joined_split_and_bounded()
    {
        UncorrectableBlocks blocks = new();

        blocks.TryMark(100, 10).Should().BeTrue();
        blocks.TryMark(120, 10).Should().BeTrue();
        blocks.TryMark(110, 10).Should().BeTrue();
        blocks.Clear(105, 20);

        blocks.Ranges.Should().Equal(new BadRange(100, 5), new BadRange(125, 5));
        blocks.Contains(0, 101, out long first).Should().BeTrue();
        first.Should().Be(100);
        blocks.Contains(105, 20, out _).Should().BeFalse();
        blocks.Clear(0, long.MaxValue);
        blocks.IsEmpty.Should().BeTrue();
    }
}
