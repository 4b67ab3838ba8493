using System.Buffers.Binary;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Io;

public class CopyTests
{
    private static Iova Ranges(Machine machine, params (ulong Lba, int Blocks)[] ranges)
    {
        byte[] bytes = new byte[ranges.Length * 32];
        for (int i = 0; i < ranges.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 32 + 8), ranges[i].Lba);
            BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(i * 32 + 16), (ushort)(ranges[i].Blocks - 1));
        }
        return machine.Guest.Place(bytes);
    }

    private static Command Copy(ulong to, Iova ranges, int count, uint format = 0, bool fua = false) =>
        NewCommand.Io(IoOpcode.Copy, to, 1, ranges) with { Dword12 = (uint)(count - 1) | format << 8 | (fua ? 1u << 30 : 0) };

    [Fact]
    public void Ranges_are_gathered_at_the_destination()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        machine.Disk.Write(100 * 512, Machine.Pattern(3 * 512, 1));
        machine.Disk.Write(200 * 512, Machine.Pattern(512, 2));

        NvmeDriver.Expect(queue.Execute(Copy(10, Ranges(machine, (100, 3), (200, 1)), 2)));

        byte[] copied = new byte[4 * 512];
        machine.Disk.Read(10 * 512, copied);
        copied.Should().Equal([.. Machine.Pattern(3 * 512, 1), .. Machine.Pattern(512, 2)]);
    }

    [Fact]
    public void Overlapping_ranges_are_copied_as_they_were()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] before = Machine.Pattern(8 * 512);
        machine.Disk.Write(0, before);

        NvmeDriver.Expect(queue.Execute(Copy(1, Ranges(machine, (0, 8)), 1)));

        byte[] after = new byte[9 * 512];
        machine.Disk.Read(0, after);
        after.Should().Equal([.. before[..512], .. before]);
    }

    [Fact]
    public void Copy_with_force_unit_access_is_durable()
    {
        int flushes = 0;
        using Machine machine = new(disks: [new ScriptedDisk(1 << 20) { OnFlush = () => flushes++ }]);

        NvmeDriver.Expect(machine.Driver.CreateQueue(1).Execute(Copy(10, Ranges(machine, (0, 1)), 1, fua: true)));

        flushes.Should().Be(1);
    }

    [Fact]
    public void Limits_stand_in_the_namespace()
    {
        using Machine machine = new();

        byte[] page = machine.Page(NewCommand.Identify(0, default, 1));
        byte[] controller = machine.Page(NewCommand.Identify(1, default));

        BitConverter.ToUInt16(page, 74).Should().Be(1024);
        BitConverter.ToUInt32(page, 76).Should().Be(1024);
        page[80].Should().Be(127);
        (BitConverter.ToUInt16(controller, 520) & 1 << 8).Should().NotBe(0);
        BitConverter.ToUInt16(controller, 534).Should().Be(1);
    }

    [Theory]
    [InlineData(0ul, 16384ul, 1, 1, 0u, Status.LbaOutOfRange)] // its source is behind the end
    [InlineData(0ul, ulong.MaxValue, 2, 1, 0u, Status.LbaOutOfRange)]
    [InlineData(16383ul, 0ul, 2, 1, 0u, Status.LbaOutOfRange)]
    [InlineData(ulong.MaxValue, 0ul, 1, 1, 0u, Status.LbaOutOfRange)]
    [InlineData(0ul, 0ul, 1025, 1, 0u, Status.CommandSizeLimitExceeded)]
    [InlineData(0ul, 0ul, 8, 129, 0u, Status.CommandSizeLimitExceeded)]
    [InlineData(0ul, 0ul, 16, 128, 0u, Status.CommandSizeLimitExceeded)] // each is short
    [InlineData(0ul, 0ul, 1, 1, 1u, Status.InvalidField)] // a format that there is not
    public void Copy_that_cannot_be_changes_nothing(ulong to, ulong from, int blocks, int count, uint format, object status)
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova ranges = Ranges(machine, [.. Enumerable.Repeat((from, blocks), count)]);

        queue.Execute(Copy(to, ranges, count, format)).Status.Should().Be((Status)status);
    }

    [Fact]
    public void Ranges_that_cannot_be_read_fail_the_command()
    {
        using Machine machine = new();

        machine.Driver.CreateQueue(1).Execute(Copy(0, new Iova(1ul << 50), 2)).Status.Should().Be(Status.DataTransferError);
    }
}
