using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Io;

/// <summary>Compare and Write as one operation.</summary>
public class FusedTests
{
    private static Command First(ulong lba, Iova data, uint nsid = 1) => NewCommand.Io(IoOpcode.Compare, lba, 1, data, nsid: nsid) with { Flags = 1 };

    private static Command Second(ulong lba, Iova data, uint nsid = 1) => NewCommand.Io(IoOpcode.Write, lba, 1, data, nsid: nsid) with { Flags = 2 };

    private static (Completion First, Completion Second) Execute(DriverQueue queue, Command first, Command second)
    {
        queue.PutAs(1, first);
        queue.PutAs(2, second);
        queue.Ring();
        return (queue.Take(), queue.Take());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // a disk that may block
    public void Block_is_written_if_it_is_as_expected(bool blocks)
    {
        using Machine machine = new(disks: [blocks ? new ScriptedDisk(1 << 20) : new MemoryDisk(1 << 20)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova zeros = machine.Guest.Place(new byte[512]);
        Iova data = machine.Guest.Place(Machine.Pattern(512));

        (Completion first, Completion second) = Execute(queue, First(3, zeros), Second(3, data));
        (Completion failed, Completion aborted) = Execute(queue, First(3, zeros), Second(3, zeros));

        new[] { first.CommandId, second.CommandId }.Should().Equal(1, 2);
        new[] { first.Status, second.Status, failed.Status, aborted.Status }.Should().Equal(
            Status.Success, Status.Success, Status.CompareFailure, Status.FailedFused);
        byte[] found = new byte[512];
        machine.Disk.Read(3 * 512, found);
        found.Should().Equal(Machine.Pattern(512));
    }

    [Theory]
    [InlineData(GuestQueues.Few)]
    [InlineData(GuestQueues.Many)]
    public void Counter_that_is_raised_by_all_queues_misses_nothing(GuestQueues queues)
    {
        int count = queues == GuestQueues.Few ? 2 : 4;
        const int Each = 50;
        using Machine machine = new(options: new NvmeControllerOptions { Workers = 2 });
        DriverQueue[] all = [.. Enumerable.Range(1, count).Select(id => machine.Driver.CreateQueue((ushort)id, 8))];

        Parallel.ForEach(all, new ParallelOptions { MaxDegreeOfParallelism = count }, queue =>
        {
            Iova before, after;
            lock (machine)
                (before, after) = (machine.NewPage(), machine.NewPage());
            for (int done = 0; done < Each;)
            {
                NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, before)));
                machine.Guest.Memory.Write(after, machine.Guest.Memory.ReadBytes(before, 512));
                machine.Guest.Memory.Write(after, machine.Guest.Memory.Read<uint>(before) + 1);
                (Completion first, Completion second) = Execute(queue, First(0, before), Second(0, after));
                if (first.Status == Status.Success)
                    done += second.Status == Status.Success ? 1 : throw new InvalidOperationException($"{second.Status}");
                else
                    first.Status.Should().Be(Status.CompareFailure);
            }
        });

        byte[] counter = new byte[512];
        machine.Disk.Read(0, counter);
        BitConverter.ToUInt32(counter).Should().Be((uint)(count * Each));
    }

    public enum GuestQueues
    {
        Few,
        Many,
    }

    [Fact]
    public void Commands_that_come_between_are_carried_out_afterwards()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(options: new NvmeControllerOptions { Workers = 2 }, disks: [disk]);
        DriverQueue fused = machine.Driver.CreateQueue(1);
        DriverQueue other = machine.Driver.CreateQueue(2);
        Iova zeros = machine.Guest.Place(new byte[512]);
        fused.PutAs(1, First(0, zeros));
        fused.PutAs(2, Second(0, machine.Guest.Place(Machine.Pattern(512, 1))));
        fused.Ring();
        disk.WaitForAccess(); // it compares

        for (int i = 0; i < 4; i++)
            other.Put(NewCommand.Io(IoOpcode.Write, 0, 1, machine.Guest.Place(Machine.Pattern(512, 2))));
        other.Ring();
        while (machine.Controller.Queues[2].InFlight < 4)
            Thread.Yield();
        bool early = other.TryTake(out _);
        disk.Release();

        NvmeDriver.Expect(fused.Take());
        NvmeDriver.Expect(fused.Take());
        for (int i = 0; i < 4; i++)
            NvmeDriver.Expect(other.Take());
        early.Should().BeFalse();
        Iova page = machine.NewPage();
        NvmeDriver.Expect(other.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, page)));
        machine.Read(page, 512).Should().Equal(Machine.Pattern(512, 2), "they wrote after the operation");
    }

    [Fact]
    public void Operations_go_on_round_the_ends_of_their_queues()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1, 3);
        Iova zeros = machine.Guest.Place(new byte[512]);

        for (int i = 0; i < 20; i++)
        {
            (Completion first, Completion second) = Execute(queue, First(0, zeros), Second(0, zeros));
            (first.Status, second.Status).Should().Be((Status.Success, Status.Success));
            if (i % 3 == 0)
                NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        }
    }

    [Theory]
    [InlineData(0u)] // one command at a time
    [InlineData(3u)]
    public void Operations_are_kept_together_whatever_the_burst_and_the_room_is(uint arbitrationBurst)
    {
        const int Operations = 20;
        using Machine machine = new(options: new NvmeControllerOptions { DiskCommands = 3, Workers = 1 });
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 1, dword11: arbitrationBurst)));
        DriverQueue completions = new(machine.Driver, 1, 4, machine.Driver.IrqOf(1));
        DriverQueue queue = new(machine.Driver, 1, 64, null);
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.CreateCompletionQueue(completions, 1)));
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.CreateSubmissionQueue(queue)));
        Iova zeros = machine.Guest.Place(new byte[512]);

        for (int i = 0; i < Operations; i++)
        {
            queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
            queue.Put(First(0, zeros));
            queue.Put(Second(0, zeros));
        }
        queue.Ring();

        for (int i = 0; i < 3 * Operations; i++)
            NvmeDriver.Expect(completions.Take());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Command_without_its_other_half_is_aborted(int fuse)
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova zeros = machine.Guest.Place(new byte[512]);

        queue.Execute(fuse == 1 ? First(0, zeros) : Second(0, zeros)).Status.Should().Be(Status.MissingFused);
        queue.Put(First(0, zeros));
        queue.Put(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage()));
        queue.Ring();

        queue.Take().Status.Should().Be(Status.MissingFused);
        NvmeDriver.Expect(queue.Take());
        queue.Execute(First(0, zeros) with { Flags = 3 }).Status.Should().Be(Status.InvalidField);
    }

    [Theory]
    [InlineData((byte)IoOpcode.Read, (byte)IoOpcode.Write, 0ul, 1u, Status.InvalidField)]
    [InlineData((byte)IoOpcode.Compare, (byte)IoOpcode.Read, 0ul, 1u, Status.InvalidField)]
    [InlineData((byte)IoOpcode.Compare, (byte)IoOpcode.Write, 1ul, 1u, Status.InvalidField)] // another block
    [InlineData((byte)IoOpcode.Compare, (byte)IoOpcode.Write, 0ul, 2u, Status.InvalidField)] // another namespace
    public void Halves_that_do_not_fit_are_refused(byte first, byte second, ulong lba, uint nsid, object status)
    {
        using Machine machine = new(disks: [new MemoryDisk(1 << 20), new MemoryDisk(1 << 20)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova zeros = machine.Guest.Place(new byte[512]);

        (Completion one, Completion other) = Execute(queue, First(0, zeros) with { Opcode = first }, Second(lba, zeros, nsid) with { Opcode = second });

        (one.Status, other.Status).Should().Be(((Status)status, Status.FailedFused));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
    }

    [Theory]
    [InlineData(1ul << 40, 1u, Status.LbaOutOfRange)]
    [InlineData(0ul, 9u, Status.InvalidField)]
    [InlineData(0ul, 99u, Status.InvalidNamespace)]
    public void Operation_on_blocks_that_there_are_not_fails(ulong lba, uint nsid, object status)
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova zeros = machine.Guest.Place(new byte[512]);

        (Completion one, Completion other) = Execute(queue, First(lba, zeros, nsid), Second(lba, zeros, nsid));

        (one.Status, other.Status).Should().Be(((Status)status, Status.FailedFused));
    }

    [Fact]
    public void Failing_write_fails_the_second_and_lets_others_go_on()
    {
        ScriptedDisk disk = new(1 << 20) { OnWrite = () => throw new IOException("broken") };
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova zeros = machine.Guest.Place(new byte[512]);

        (Completion one, Completion other) = Execute(queue, First(0, zeros), Second(0, zeros));

        (one.Status, other.Status).Should().Be((Status.Success, Status.WriteFault));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
    }

    [Fact]
    public void Reset_during_an_operation_comes_to_its_end()
    {
        using HeldDisk disk = new(1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova zeros = machine.Guest.Place(new byte[512]);
        queue.Put(First(0, zeros));
        queue.Put(Second(0, zeros));
        queue.Ring();
        disk.WaitForAccess();

        machine.Guest.Bar0.Write(0x14, 0u);
        disk.Release();
        machine.Driver.WaitForStatus(status => (status & 1) == 0);
        machine.Driver.Enable();

        (Completion one, Completion other) = Execute(machine.Driver.CreateQueue(1), First(0, zeros), Second(0, zeros));
        (one.Status, other.Status).Should().Be((Status.Success, Status.Success));
    }
}
