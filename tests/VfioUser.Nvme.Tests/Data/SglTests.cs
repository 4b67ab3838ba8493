using System.Runtime.InteropServices;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Data;

public class SglTests
{
    private const byte Block = 0x00, Segment = 0x20, LastSegment = 0x30;

    private static SglDescriptor Descriptor(byte identifier, Iova address, int length) => new(address.Value, (uint)length, 0, 0, identifier);

    private static Command With(Command command, SglDescriptor descriptor) => command with
    {
        Flags = 1 << 6,
        Prp1 = descriptor.Address,
        Prp2 = descriptor.Length | (ulong)descriptor.Identifier << 56,
    };

    private static Iova Place(Machine machine, params SglDescriptor[] descriptors) =>
        machine.Guest.Place(MemoryMarshal.AsBytes<SglDescriptor>(descriptors));

    [Fact]
    public void One_block_of_data_may_begin_at_any_byte()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] data = Machine.Pattern(4096 + 512);
        Iova place = machine.Guest.Memory.Allocate(8192) + 13;
        machine.Guest.Memory.Write(place, data);

        NvmeDriver.Expect(queue.Execute(With(NewCommand.Io(IoOpcode.Write, 1, 9), Descriptor(Block, place, data.Length))));
        machine.Guest.Memory.Write(place, new byte[data.Length]);
        NvmeDriver.Expect(queue.Execute(With(NewCommand.Io(IoOpcode.Read, 1, 9), Descriptor(Block, place, data.Length))));

        machine.Read(place, data.Length).Should().Equal(data);
    }

    [Fact]
    public void Segments_follow_one_another_and_blocks_may_be_empty()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] data = Machine.Pattern(1024);
        Iova place = machine.Guest.Place(data);
        Iova last = Place(machine, Descriptor(Block, place + 700, 300), Descriptor(Block, default, 0), Descriptor(Block, place + 1000, 24));
        Iova middle = Place(machine, Descriptor(Block, place + 1, 699), Descriptor(LastSegment, last, 48));
        Iova first = Place(machine, Descriptor(Block, place, 1), Descriptor(Segment, middle, 32));

        NvmeDriver.Expect(queue.Execute(With(NewCommand.Io(IoOpcode.Write, 0, 2), Descriptor(Segment, first, 32))));

        byte[] onDisk = new byte[1024];
        machine.Disk.Read(0, onDisk);
        onDisk.Should().Equal(data);
    }

    [Fact]
    public void Long_segment_is_walked_to_its_end()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] data = Machine.Pattern(512);
        Iova place = machine.Guest.Place(data);
        // a byte each, and the last one first
        SglDescriptor[] bytes = [.. Enumerable.Range(0, 512).Select(i => Descriptor(Block, place + (ulong)(511 - i), 1))];

        NvmeDriver.Expect(queue.Execute(With(NewCommand.Io(IoOpcode.Write, 0, 1), Descriptor(LastSegment, Place(machine, bytes), bytes.Length * 16))));

        byte[] onDisk = new byte[512];
        machine.Disk.Read(0, onDisk);
        onDisk.Should().Equal(data.Reverse());
    }

    public static TheoryData<string, Func<object, object>, int> Bad => new()
    {
        { "too short", _ => Descriptor(Block, new Iova(0x1_0000_0000), 511), (int)Status.DataSglLengthInvalid },
        { "too long", _ => Descriptor(Block, new Iova(0x1_0000_0000), 513), (int)Status.DataSglLengthInvalid },
        { "type", _ => Descriptor(0x50, new Iova(0x1_0000_0000), 512), (int)Status.SglTypeInvalid },
        { "sub type", _ => Descriptor(0x01, new Iova(0x1_0000_0000), 512), (int)Status.SglTypeInvalid },
        { "empty segment", _ => Descriptor(LastSegment, new Iova(0x1_0000_0000), 0), (int)Status.InvalidSglSegment },
        { "odd segment", _ => Descriptor(LastSegment, new Iova(0x1_0000_0000), 17), (int)Status.InvalidSglSegment },
        { "huge segment", _ => Descriptor(LastSegment, new Iova(0x1_0000_0000), int.MaxValue & ~15), (int)Status.InvalidSglCount },
        { "segment nowhere", _ => Descriptor(LastSegment, new Iova(0xDEAD_0000_0000), 32), (int)Status.DataTransferError },
        { "data nowhere", _ => Descriptor(Block, new Iova(0xDEAD_0000_0000), 512), (int)Status.DataTransferError },
        { "segment in the last", m => Descriptor(LastSegment, Place((Machine)m, Descriptor(Segment, default, 16)), 16), (int)Status.InvalidSglSegment },
        { "segment in the middle", m => Descriptor(Segment, Place((Machine)m, Descriptor(Segment, default, 16), Descriptor(Block, default, 512)), 32), (int)Status.InvalidSglSegment },
        { "no last", m => Descriptor(Segment, Place((Machine)m, Descriptor(Block, new Iova(0x1_0000_0000), 512)), 16), (int)Status.InvalidSglSegment },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void Bad_list_fails_the_command_and_nothing_else(string what, Func<object, object> make, int status)
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);

        Completion completion = queue.Execute(With(NewCommand.Io(IoOpcode.Read, 0, 1), (SglDescriptor)make(machine)));

        completion.Status.Should().Be((Status)status, what);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
    }

    [Fact]
    public void Segment_that_leads_to_itself_comes_to_an_end()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova segment = machine.NewPage();
        machine.Guest.Memory.WriteStruct(segment, Descriptor(Segment, segment, 16));

        Completion completion = queue.Execute(With(NewCommand.Io(IoOpcode.Read, 0, 1), Descriptor(Segment, segment, 16)));

        completion.Status.Should().Be(Status.InvalidSglCount);
    }
}
