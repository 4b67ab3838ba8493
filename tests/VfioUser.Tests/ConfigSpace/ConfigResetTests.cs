using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigResetTests
{
    // Bits that PCIe 6.6.2 exempts from a function-level reset: a guest does not restore them, for hardware does not lose them.
    [Theory]
    [InlineData(0x48, 0x00E0)] // Device Control: Max_Payload_Size
    [InlineData(0x50, 0x02CB)] // Link Control: ASPM, RCB, common clock, extended synch, autonomous width
    [InlineData(0x70, 0x0021)] // Link Control 2: target speed, autonomous speed
    public void Link_settings_survive_a_function_level_reset(int offset, int kept)
    {
        _config.AddPciExpress();
        _config.Seal();
        ushort before = _config.Guest<ushort>(offset);
        _config.Guest(offset, (ushort)(0x7FFF & ~before));
        ushort written = _config.Guest<ushort>(offset);

        _config.Reset(keepSticky: true);
        ushort afterFunctionReset = _config.Guest<ushort>(offset);
        _config.Reset();

        (afterFunctionReset & kept).Should().Be(written & kept);
        if (offset == 0x48)
            (afterFunctionReset & ~kept).Should().Be(before & ~kept, "the rest is reset");
        _config.Guest<ushort>(offset).Should().Be(before);
    }

    private readonly ConfigSpace _config = NewConfig();

    [Fact]
    public void A_reset_undoes_everything_that_a_guest_can_write()
    {
        _config.SetBar(0, BarKind.Memory64Prefetchable, 0x2_0000_0000);
        _config.SetBar(5, BarKind.Io, 0x40);
        _config.SetRom(0x1000);
        _config.SetInterruptPin(1);
        _config.AddPowerManagement(new PowerManagementOptions { D1 = true, Pme = PmeStates.D0 });
        _config.AddMsi(vectors: 8, perVectorMask: true);
        _config.AddPciExpress();
        _config.AddVendorSpecific("abcd"u8, VendorCapabilityAccess.Writable);
        _config.AddExtendedVendorSpecific(0x1A, 0, "efgh"u8, VendorCapabilityAccess.Writable);
        _config.Seal();
        byte[] before = _config.GuestBytes(0, 4096);
        byte[] ones = new byte[4096];
        ones.AsSpan().Fill(0xFF);
        _config.GuestWrite(0, ones);

        _config.Reset();

        _config.GuestBytes(0, 4096).Should().Equal(before);
    }

    [Fact]
    public void Values_written_before_serving_are_reset_values()
    {
        _config.AddField(0xC0, 0x11u, writeMask: 0xFFu);
        _config.Write(0xC0, 0x22u);
        _config.Write(0x3C, (byte)0x0A); // interrupt line
        _config.Seal();
        _config.Guest(0xC0, 0x33u);
        _config.Guest<byte>(0x3C, 0x0B);

        _config.Reset();

        _config.Guest<uint>(0xC0).Should().Be(0x22);
        _config.Guest<byte>(0x3C).Should().Be(0x0A);
    }

    [Fact]
    public void Values_written_later_survive_a_reset_where_no_guest_can_write()
    {
        _config.AddField(0xC0, 0x1111u, writeMask: 0x00FFu, clearMask: 0x0000_0000u);
        _config.Seal();
        _config.Write(0xC0, 0x2222u);
        _config.SetInterruptStatus(asserted: true);

        _config.Reset();

        _config.Guest<uint>(0xC0).Should().Be(0x2211);
        _config.Guest<ushort>(0x06).Should().Be(0x0008);
    }

    [Fact]
    public void Errors_in_the_status_register_go()
    {
        _config.Seal();
        _config.Write<ushort>(0x06, 0x8000);

        _config.Reset();

        _config.Guest<ushort>(0x06).Should().Be(0);
    }

    [Fact]
    public void A_reset_calls_no_handler()
    {
        int calls = 0;
        _config.AddWriteHandler(0x00, 256, (_, _) => calls++);
        _config.CommandWritten = () => calls++;
        _config.Seal();

        _config.Reset();

        calls.Should().Be(0);
    }

    [Fact]
    public void Once_served_nothing_can_be_described()
    {
        _config.SetBar(0, BarKind.Memory32, 0x1000);
        _config.Seal();
        byte[] before = _config.GuestBytes(0, 256);

        Action[] late =
        [
            () => _config.SetBar(1, BarKind.Memory32, 0x1000),
            () => _config.SetRom(0x1000),
            () => _config.SetInterruptPin(1),
            () => _config.Extend(),
            () => _config.AddField(0xC0, 0u),
            () => _config.AddReadHandler(0xC0, 4, (_, _) => { }),
            () => _config.AddWriteHandler(0xC0, 4, (_, _) => { }),
            () => _config.AddPowerManagement(),
            () => _config.AddMsi(),
            () => _config.AddMsiX(vectors: 1, tableBar: 0, tableOffset: 0, pbaBar: 0, pbaOffset: 0x800),
            () => _config.AddPciExpress(),
            () => _config.AddVendorSpecific([1]),
            () => _config.AddCapability(0x81, [1]),
            () => _config.AddDeviceSerialNumber(1),
            () => _config.AddExtendedVendorSpecific(1, 0, [1]),
            () => _config.AddExtendedCapability(0x18, 1, [1]),
        ];

        late.Should().AllSatisfy(
            each => each.Should().Throw<InvalidOperationException>().WithMessage("*do it in the device's constructor*"));
        _config.Size.Should().Be(256);
        _config.GuestBytes(0, 256).Should().Equal(before);
    }

    [Fact]
    public void Second_roms_and_fifth_pins_are_refused()
    {
        _config.SetRom(0x800);

        Action rom = () => _config.SetRom(0x1000);
        Action pin = () => _config.SetInterruptPin(5);

        rom.Should().Throw<InvalidOperationException>().WithMessage("*ROM already*");
        pin.Should().Throw<ArgumentException>().WithMessage("*1 (INTA) to 4 (INTD)*");
    }

    [Fact]
    public void A_reset_before_serving_is_a_mistake_of_ours()
    {
        Action reset = () => _config.Reset();

        reset.Should().Throw<InvalidOperationException>();
    }
}
