using System.Runtime.InteropServices;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Io;

public class OtherCommandTests
{
    private static void Fill(Machine machine, int blocks) => machine.Disk.Write(0, Machine.Pattern(blocks * 512));

    private static byte[] OnDisk(Machine machine, int lba, int blocks)
    {
        byte[] bytes = new byte[blocks * 512];
        machine.Disk.Read(lba * 512, bytes);
        return bytes;
    }

    [Fact]
    public void Write_zeroes_clears_the_range_and_no_more()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Fill(machine, 64);

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.WriteZeroes, 8, 16)));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.WriteZeroes, 40, 8) with { Dword12 = 7 | 1 << 25 }));

        byte[] expected = Machine.Pattern(64 * 512);
        Array.Clear(expected, 8 * 512, 16 * 512);
        Array.Clear(expected, 40 * 512, 8 * 512);
        OnDisk(machine, 0, 64).Should().Equal(expected);
    }

    [Fact]
    public void Compare_tells_equal_from_different()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Fill(machine, 8);
        Iova page = machine.Guest.Place(OnDisk(machine, 0, 8));

        Completion equal = queue.Execute(NewCommand.Io(IoOpcode.Compare, 0, 8, page));
        machine.Guest.Memory.Write(page + 4095, (byte)~machine.Read(page + 4095, 1)[0]);
        Completion different = queue.Execute(NewCommand.Io(IoOpcode.Compare, 0, 8, page));

        equal.Status.Should().Be(Status.Success);
        different.Status.Should().Be(Status.CompareFailure);
    }

    [Fact]
    public void Longest_compare_works()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Fill(machine, 1024);
        Iova data = machine.Guest.Place(OnDisk(machine, 0, 1024));

        Command command = NewCommand.Io(IoOpcode.Compare, 0, 1024) with { Flags = 1 << 6, Prp1 = data.Value, Prp2 = 512 << 10 };

        queue.Execute(command).Status.Should().Be(Status.Success);
    }

    [Fact]
    public void Trimmed_memory_is_given_back_and_reads_as_zeros()
    {
        MemoryDisk disk = new(8 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Fill(machine, 8192);
        long before = disk.Allocated;
        Iova ranges = machine.Guest.Place(MemoryMarshal.AsBytes<DsmRange>([new(0, 2048, 0), new(0, 8, 4095)]));

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.DatasetManagement, 1, prp1: ranges) with { Dword10 = 1, Dword11 = 4 }));

        (before - disk.Allocated).Should().Be(1 << 20);
        OnDisk(machine, 0, 2048).Should().AllBeEquivalentTo(0);
        OnDisk(machine, 4095, 8).Should().AllBeEquivalentTo(0);
        OnDisk(machine, 4103, 1).Should().Equal(Machine.Pattern(8192 * 512)[(4103 * 512)..(4104 * 512)]);
    }

    [Fact]
    public void Range_outside_of_the_disk_trims_nothing()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Fill(machine, 16);
        Iova ranges = machine.Guest.Place(MemoryMarshal.AsBytes<DsmRange>([new(0, 8, 0), new(0, uint.MaxValue, ulong.MaxValue)]));

        Completion completion = queue.Execute(NewCommand.Io(IoOpcode.DatasetManagement, 1, prp1: ranges) with { Dword10 = 1, Dword11 = 4 });

        completion.Status.Should().Be(Status.LbaOutOfRange);
        OnDisk(machine, 0, 16).Should().Equal(Machine.Pattern(16 * 512));
    }

    [Fact]
    public void Verify_and_flush_succeed_where_there_is_nothing_wrong()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);

        queue.Execute(NewCommand.Io(IoOpcode.Verify, 0, 16384)).Status.Should().Be(Status.Success);
        queue.Execute(NewCommand.Io(IoOpcode.Flush)).Status.Should().Be(Status.Success);
        queue.Execute(NewCommand.Io(IoOpcode.Flush, nsid: 0xFFFF_FFFF)).Status.Should().Be(Status.Success);
        queue.Execute(NewCommand.Io(IoOpcode.Verify, 1, 16384)).Status.Should().Be(Status.LbaOutOfRange);
    }

    [Theory]
    [InlineData((byte)0x0D, 1u, 0, Status.InvalidOpcode)] // reservations
    [InlineData((byte)0x02, 0u, 0, Status.InvalidNamespace)]
    [InlineData((byte)0x02, 2u, 0, Status.InvalidField)] // a number that has no namespace
    [InlineData((byte)0x02, 17u, 0, Status.InvalidNamespace)]
    [InlineData((byte)0x02, 0xFFFF_FFFFu, 0, Status.InvalidNamespace)]
    [InlineData((byte)0x02, 1u, 1, Status.MissingFused)] // fused
    [InlineData((byte)0x02, 1u, 0xC0, Status.InvalidField)] // neither PRP nor SGL
    public void Commands_that_do_not_exist_are_refused(byte opcode, uint nsid, byte flags, object status)
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);

        Completion completion = queue.Execute(NewCommand.Io((IoOpcode)opcode, 0, 1, machine.NewPage(), nsid: nsid) with { Flags = flags });

        completion.Status.Should().Be((Status)status);
        completion.DoNotRetry.Should().BeTrue();
    }
}
