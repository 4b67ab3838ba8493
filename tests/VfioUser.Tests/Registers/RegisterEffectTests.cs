using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>A declaration of which a part could never have an effect is a mistake, and refused.</summary>
public class RegisterEffectTests
{
    private readonly BlankDevice _device = new();

    private Bar Bar => field ??= _device.AddBar(0, BarKind.Memory32, 0x1000);

    [Fact]
    public void Read_handler_of_a_write_only_register_is_refused()
    {
        RegisterOptions<uint> options = new() { Name = "KICK", Access = RegisterAccess.WriteOnly, OnRead = stored => stored };

        Bar.Invoking(it => it.AddRegister(0, options)).Should().Throw<ArgumentException>().WithMessage("OnRead of the register KICK*WriteOnly*");
        Bar.Invoking(it => it.AddRegisters<uint>(0, 2, new() { Access = RegisterAccess.WriteOnly, OnRead = (_, stored) => stored }))
            .Should().Throw<ArgumentException>().WithMessage("OnRead of the register has no effect*");
        Bar.AddRegister(0, options with { WriteMask = 0xFF });
    }

    [Fact]
    public void Waiting_for_all_bytes_without_a_write_handler_is_refused() =>
        Bar.Invoking(it => it.AddRegister<ulong>(0, new() { Name = "BASE", WaitForAllBytes = true }))
            .Should().Throw<ArgumentException>().WithMessage("WaitForAllBytes of the register BASE*OnWrite*");

    [Fact]
    public void Write_mask_of_a_read_only_register_is_refused()
    {
        RegisterOptions<uint> options = new() { Name = "STATUS", Access = RegisterAccess.ReadOnly, WriteMask = 0xFF };

        Bar.Invoking(it => it.AddRegister(0, options)).Should().Throw<ArgumentException>().WithMessage("WriteMask of the register STATUS*ReadOnly*");
        Bar.AddRegister(0, options with { Access = RegisterAccess.ReadToClear });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    public void Versions_of_registers_are_counted_from_1(int since) =>
        Bar.Invoking(it => it.AddRegister<uint>(0, new() { Name = "NEW", Since = since })).Should().Throw<ArgumentException>().WithMessage($"Since of the register NEW is {since}*");

    [Fact]
    public void Handlers_of_writes_are_refused_where_no_guest_writes()
    {
        Bar bar = _device.AddBar(1, BarKind.Memory32, 0x1000, writable: false);

        foreach (Action add in new Action[]
        {
            () => bar.AddDoorbell(0, () => { }, "BELL"),
            () => bar.AddRegister<uint>(0, new() { OnWrite = _ => { } }),
            () => bar.AddRegisters<uint>(0, 2, new() { OnWrite = (_, _) => { } }),
            () => bar.AddBankedRegisters<uint>(0, 2, () => 0, new() { OnWrite = (_, _) => { } }),
            () => _device.AddRom("ROM"u8).AddRegister<uint>(0, new() { OnWrite = _ => { } }),
        })
        {
            add.Should().Throw<ArgumentException>().WithMessage("*is read-only: no write of a guest reaches the *");
        }
        Bar shared = _device.AddBar(2, BarKind.Memory32, 0x1000, writable: false);
        RegionMemory memory = shared.ShareMemory();
        memory.Invoking(it => it.AddWriteHandler((_, _) => { })).Should().Throw<InvalidOperationException>().WithMessage("Bar2 is read-only*");
        shared.Invoking(it => it.AddDoorbellPage(0, 1, (_, _) => { })).Should().Throw<ArgumentException>().WithMessage("Bar2 is read-only*");
        bar.Invoking(it => it.AddDoorbell(0, () => { }, "BELL")).Should().Throw<ArgumentException>().WithMessage("*doorbell BELL*");
        bar.AddRegister<uint>(0);
    }

    [Fact]
    public void Handler_of_a_region_that_is_memory_throughout_is_refused()
    {
        Bar bar = _device.AddBar(1, BarKind.Memory32, 0x2000, new RecordingHandler());

        bar.Invoking(it => it.ShareMemory()).Should().Throw<ArgumentException>().WithMessage("The handler of Bar1 has no effect*");
        bar.Invoking(it => it.ShareMemory(new MemoryArea(0, 0x1000), new MemoryArea(0x1000, 0x1000))).Should().Throw<ArgumentException>();
        bar.ShareMemory(new MemoryArea(0, 0x1000));
    }

    [Fact]
    public void Names_of_blocks_are_words()
    {
        Bar.Invoking(it => it.AddBlock(0, "RX ring")).Should().Throw<ArgumentException>().WithMessage("*block*\"RX ring\"*white space*");
        Bar.Invoking(it => it.AddBlocks(0, 2, 0x100, "RX ring", (block, _) => block)).Should().Throw<ArgumentException>();
        Bar.Invoking(it => it.AddBlock(0, "")).Should().Throw<ArgumentException>().WithMessage("*empty*");
        Bar.Invoking(it => it.AddBlock(0, null!)).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public void Parts_without_bytes_are_refused_as_such()
    {
        Bar.Invoking(it => it.AddConstant(0, [])).Should().Throw<ArgumentException>().WithMessage("The constant at 0x0 has 0 bytes*");
        Bar.Invoking(it => it.AddTag(0, -4, "EEPROM")).Should().Throw<ArgumentException>().WithMessage("The tag EEPROM has -4 bytes*");
    }
}
