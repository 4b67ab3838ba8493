using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Io;

public class ReadWriteTests
{
    public static TheoryData<GuestMemoryKind> Memories => [.. Enum.GetValues<GuestMemoryKind>()];

    [Theory]
    [MemberData(nameof(Memories))]
    public void Written_blocks_are_read_back(GuestMemoryKind memory)
    {
        using Machine machine = new(memory);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] data = Machine.Pattern(4096);
        Iova page = machine.NewPage();

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 16, 8, machine.Guest.Place(data))));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 16, 8, page)));

        machine.Read(page, 4096).Should().Equal(data);
        byte[] onDisk = new byte[4096];
        machine.Disk.Read(16 * 512, onDisk);
        onDisk.Should().Equal(data);
    }

    [Fact]
    public void Queue_wraps_many_times_and_phase_tags_alternate()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1, entries: 3);
        Iova page = machine.NewPage();

        for (ulong lba = 0; lba < 100; lba++)
        {
            machine.Guest.Memory.Write(page, lba);
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, lba, 1, page)));
        }

        byte[] block = new byte[512];
        for (int lba = 0; lba < 100; lba++)
        {
            machine.Disk.Read(lba * 512, block);
            BitConverter.ToInt64(block).Should().Be(lba);
        }
    }

    [Fact]
    public void Full_completion_queue_holds_commands_back_and_loses_none()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1, entries: 8);
        for (int i = 0; i < 7; i++)
            queue.Put(NewCommand.Io(IoOpcode.Flush));
        queue.Ring();
        List<ushort> done = [];
        for (int i = 0; i < 7; i++)
            done.Add(queue.Take(ring: false).CommandId);
        for (int i = 0; i < 7; i++)
            queue.Put(NewCommand.Io(IoOpcode.Flush));
        queue.Ring();

        // the driver has not told that it took anything
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: 7)));
        bool early = queue.TryTake(out _, ring: false);
        queue.RingHead();
        for (int i = 0; i < 7; i++)
            done.Add(queue.Take().CommandId);

        early.Should().BeFalse();
        done.Should().Equal(Enumerable.Range(0, 14).Select(i => (ushort)i));
    }

    [Fact]
    public void Four_queues_work_at_one_time()
    {
        using Machine machine = new();
        DriverQueue[] queues = [.. Enumerable.Range(1, 4).Select(id => machine.Driver.CreateQueue((ushort)id))];
        Iova[] pages = [.. queues.Select(_ => machine.NewPage())];

        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            for (int round = 0; round < 200; round++)
            {
                machine.Guest.Memory.Write(pages[i], (ulong)(i * 1000 + round));
                NvmeDriver.Expect(queues[i].Execute(NewCommand.Io(IoOpcode.Write, (ulong)(i * 200 + round), 1, pages[i])));
            }
        });

        byte[] block = new byte[512];
        for (int i = 0; i < 4; i++)
        {
            machine.Disk.Read((i * 200 + 199) * 512, block);
            BitConverter.ToInt64(block).Should().Be(i * 1000 + 199);
        }
        machine.Controller.Statistics.Writes.Should().Be(800);
    }

    [Fact]
    public void Interrupt_pin_serves_where_msix_is_off()
    {
        using Machine machine = new(msiX: false);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        for (int i = 0; i < 50; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));

        machine.Guest.MsiX[1].Count.Should().Be(0);
        machine.Guest.Intx.Count.Should().BeGreaterThanOrEqualTo(1);
    }

    [Theory]
    [InlineData(16383ul, 2, Status.LbaOutOfRange)]
    [InlineData(16384ul, 1, Status.LbaOutOfRange)]
    [InlineData(ulong.MaxValue, 1, Status.LbaOutOfRange)]
    [InlineData(0ul, 1025, Status.InvalidField)] // 512 KiB and a block: more than MDTS
    public void Range_outside_is_refused_for_good(ulong lba, int blocks, object status)
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);

        Completion read = queue.Execute(NewCommand.Io(IoOpcode.Read, lba, blocks, machine.NewPage()));
        Completion write = queue.Execute(NewCommand.Io(IoOpcode.Write, lba, blocks, machine.NewPage()));

        read.Status.Should().Be((Status)status);
        read.DoNotRetry.Should().BeTrue();
        write.Status.Should().Be((Status)status);
    }
}
