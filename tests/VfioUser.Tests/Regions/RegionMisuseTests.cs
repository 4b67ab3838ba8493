using VfioUser.Testing;

namespace VfioUser.Tests;

public class RegionMisuseTests
{
    private readonly BlankDevice _device = new();

    [Theory]
    [InlineData(0x1000)]
    [InlineData(0x7FFF_FFFF_FFFF_FFFC)]
    public void A_register_behind_the_end_is_refused(long offset)
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x1000);

        bar.Invoking(it => it.AddRegister<uint>(offset)).Should().Throw<ArgumentException>().WithMessage($"*0x{offset:x}*Bar0*4096*");
    }

    [Fact]
    public void Negative_offsets_and_lengths_are_refused()
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x4000);
        RegisterBlock block = bar.AddBlock(0x100, "BLOCK");
        int page = Environment.SystemPageSize;

        foreach (Action add in new Action[]
        {
            () => block.AddRegister<uint>(-4),
            () => block.AddRegisters<uint>(0, count: 2, new() { Stride = -0x1000 }),
            () => block.AddTag(0, -4, "TAG"),
            () => block.AddConstant(-8, [1]),
            () => block.AddBlock(-4, "INNER"),
            () => block.AddRegister<uint>(long.MaxValue - 3),
            () => bar.AddIoEventFd(-4, () => { }),
            () => bar.AddIoRegionFd(0, -4, TestFiles.Memory(page)),
            () => bar.ShareMemory(new MemoryArea(-page, page)),
            () => bar.ShareMemory(new MemoryArea(page, -page)),
            () => bar.AddMsiX(-8, vectors: 1),
            () => _device.AddBar(1, BarKind.Memory32, -0x1000),
            () => _device.AddBar(2, BarKind.Memory64, long.MinValue),
            () => _device.AddDeviceRegion(1, 1, -1),
        })
        {
            add.Should().Throw<ArgumentException>();
        }
        bar.Parts.Should().BeEmpty();
    }

    [Fact]
    public void A_register_lies_at_a_multiple_of_its_width()
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x1000);

        bar.Invoking(it => it.AddRegister<uint>(2)).Should().Throw<ArgumentException>().WithMessage("*4 bytes*0x2*");
        bar.Invoking(it => it.AddRegister<ulong>(0xFFC)).Should().Throw<ArgumentException>();
        bar.AddRegister<byte>(0xFFF).Value.Should().Be(0);
    }

    [Fact]
    public void A_register_has_at_most_eight_bytes()
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x1000);

        bar.Invoking(it => it.AddRegister<UInt128>(0)).Should().Throw<ArgumentException>().WithMessage("*UInt128*");
    }

    [Fact]
    public void Overlapped_part_is_named_by_its_kind()
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x4000);
        bar.AddRegister<uint>(0, new() { Name = "CTRL" });
        bar.AddRegister<uint>(4);
        bar.ShareMemory(new MemoryArea(0x1000, 0x1000));
        bar.AddMsiX(0x2000, 2, 0x3000);

        foreach ((long offset, string what) in new[] { (0L, "the register CTRL, from 0x0 to 0x3"), (4L, "a register,"), (0x1800L, "shared memory,"), (0x2008L, "the MSI-X table,"), (0x3000L, "the MSI-X pending bits,") })
            bar.Invoking(it => it.AddRegister<uint>(offset)).Should().Throw<ArgumentException>().WithMessage($"*overlaps {what}*");
    }

    [Fact]
    public void Doorbells_views_tags_and_constants_are_called_so()
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x1000);
        bar.AddDoorbell(0x00, () => { }, "BELL");
        bar.AddDoorbell(0x04, () => { });
        bar.AddView(0x08, bar.AddRegister<uint>(0x20, new() { Name = "MASK" }), RegisterAccess.WriteOneToClear, "MASKC");
        bar.AddTag(0x0C, 4, "EEPROM");
        bar.AddConstant(0x10, [1, 2, 3, 4]);

        foreach ((long offset, string what) in new[] { (0x00L, "the doorbell BELL,"), (0x04L, "a doorbell,"), (0x08L, "the view MASKC,"), (0x0CL, "the tag EEPROM,"), (0x10L, "a constant,") })
            bar.Invoking(it => it.AddDoorbell(offset, () => { }, "NEXT")).Should().Throw<ArgumentException>().WithMessage($"The doorbell NEXT of Bar0 overlaps {what}*");
        bar.Invoking(it => it.AddDoorbell(0x42, () => { })).Should().Throw<ArgumentException>().WithMessage("A doorbell of 4 bytes*0x42*");
        bar.Invoking(it => it.AddDoorbell(0x1000, () => { })).Should().Throw<ArgumentException>().WithMessage("The doorbell at 0x1000 does not fit*");
        bar.Invoking(it => it.AddDoorbell(0x80, () => { }, "my bell")).Should().Throw<ArgumentException>().WithMessage("A doorbell*my bell*");
    }

    [Fact]
    public void Messages_name_the_parameters_that_their_author_wrote()
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x1000);

        foreach ((Action add, string? parameter) in new (Action, string?)[]
        {
            (() => _device.AddBar(6, BarKind.Memory32, 0x1000), "number"),
            (() => _device.AddBar(5, BarKind.Memory64, 0x1000), "number"),
            (() => _device.AddBar(0, BarKind.Memory32, 0x1000), "number"),
            (() => _device.AddBar(1, BarKind.Memory32, 0x1001), "size"),
            (() => _device.AddMsi(1, capabilityOffset: 0x41), "capabilityOffset"),
            (() => bar.AddMsiX(4, vectors: 1), null),
            (() => bar.AddMsiX(0x1000, vectors: 1), null),
            (() => bar.AddMsiX(0, vectors: 1, pendingOffset: 0x1000), null),
            (() => bar.AddMsiX(0, vectors: 2, pendingOffset: 0x10), null),
            (() => bar.AddMsiX(0, vectors: 1, new() { CapabilityOffset = 0x41 }), null),
            (() => _device.Config.AddRegister<uint>(0x10), null),
        })
        {
            add.Should().Throw<ArgumentException>().Which.ParamName.Should().Be(parameter);
        }
    }

    [Fact]
    public void Overlapping_parts_are_refused_and_both_named()
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x1000);
        bar.AddRegister<ulong>(0x10);

        bar.Invoking(it => it.AddRegister<ushort>(0x16)).Should().Throw<ArgumentException>().WithMessage("*0x16*0x10*0x17*");
        bar.Invoking(it => it.AddDoorbell(0x10, () => { })).Should().Throw<ArgumentException>();
        bar.Invoking(it => it.AddMsiX(0x10, 1)).Should().Throw<ArgumentException>();
        bar.AddRegister<ulong>(0x08);
        bar.AddRegister<ulong>(0x18);
    }

    [Fact]
    public void Missing_callbacks_are_refused()
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x1000);

        bar.Invoking(it => it.AddDoorbell(0, null!)).Should().Throw<ArgumentNullException>();
        bar.Invoking(it => it.AddDoorbell<ushort>(0, null!)).Should().Throw<ArgumentNullException>();
        bar.Invoking(it => it.AddRegister<uint>(0, null!)).Should().Throw<ArgumentNullException>();
        _device.Invoking(it => it.AddVga(null!)).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public void Declarations_that_may_be_made_once_throw_the_second_time()
    {
        _device.AddBar(0, BarKind.Memory64, 0x1000);
        _device.AddRom("ROM"u8);
        _device.AddVga(new RecordingHandler());
        _device.AddIntx();
        _device.AddMsi(1);
        _device.AddErrorIrq();
        _device.AddRequestIrq();

        _device.Invoking(it => it.AddBar(0, BarKind.Memory32, 0x1000)).Should().Throw<ArgumentException>();
        _device.Invoking(it => it.AddBar(1, BarKind.Memory32, 0x1000)).Should().Throw<ArgumentException>();
        _device.Invoking(it => it.AddRom("ROM"u8)).Should().Throw<InvalidOperationException>();
        _device.Invoking(it => it.AddVga(new RecordingHandler())).Should().Throw<InvalidOperationException>();
        _device.Invoking(it => it.AddIntx()).Should().Throw<InvalidOperationException>();
        _device.Invoking(it => it.AddMsi(1)).Should().Throw<InvalidOperationException>();
        _device.Invoking(it => it.AddErrorIrq()).Should().Throw<InvalidOperationException>();
        _device.Invoking(it => it.AddRequestIrq()).Should().Throw<InvalidOperationException>();
    }

    [Theory]
    [InlineData(-1, BarKind.Memory32, 0x1000)]
    [InlineData(6, BarKind.Memory32, 0x1000)]
    [InlineData(5, BarKind.Memory64, 0x1000)]
    [InlineData(0, BarKind.Memory32, 0)]
    [InlineData(0, BarKind.Memory32, 0x1001)]
    [InlineData(0, BarKind.Memory32, 8)]
    [InlineData(0, BarKind.Memory32, 0x1_0000_0000)]
    [InlineData(0, BarKind.Io, 2)]
    public void A_bar_that_no_device_can_have_is_refused(int number, BarKind kind, long size) =>
        _device.Invoking(it => it.AddBar(number, kind, size)).Should().Throw<ArgumentException>();

    [Fact]
    public void A_device_that_is_being_served_keeps_its_shape()
    {
        Bar bar = _device.AddBar(0, BarKind.Memory32, 0x1000);
        using var guest = TestGuest.Attach(_device);

        foreach (Action change in new Action[]
        {
            () => bar.AddRegister<uint>(0),
            () => bar.AddDoorbell(0, () => { }),
            () => bar.AddMsiX(0, 1),
            () => bar.ShareMemory(),
            () => _device.AddBar(1, BarKind.Memory32, 0x1000),
            () => _device.AddRom("ROM"u8),
            () => _device.AddVga(new RecordingHandler()),
            () => _device.AddIntx(),
            () => _device.AddMsi(1),
            () => _device.AddErrorIrq(),
        })
        {
            change.Should().Throw<InvalidOperationException>().WithMessage("*constructor*");
        }
        _device.Invoking(it => it.Config.AddField(0x40, 1u)).Should().Throw<InvalidOperationException>();
    }
}
