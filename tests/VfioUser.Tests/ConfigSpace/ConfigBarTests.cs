using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigBarTests
{
    [Theory]
    [InlineData(BarKind.Memory32, 0x10, 0x0000_0000u, 0xFFFF_FFF0u)]
    [InlineData(BarKind.Memory32, 0x1000, 0x0000_0000u, 0xFFFF_F000u)]
    [InlineData(BarKind.Memory32, 0x8000_0000, 0x0000_0000u, 0x8000_0000u)]
    [InlineData(BarKind.Memory32Prefetchable, 0x10_0000, 0x0000_0008u, 0xFFF0_0008u)]
    [InlineData(BarKind.Io, 0x4, 0x0000_0001u, 0xFFFF_FFFDu)]
    [InlineData(BarKind.Io, 0x100, 0x0000_0001u, 0xFFFF_FF01u)]
    [InlineData(BarKind.Io, 0x1_0000, 0x0000_0001u, 0xFFFF_0001u)]
    public void Writing_ones_to_a_32_bit_bar_reads_its_size_mask(BarKind kind, long size, uint initial, uint sized)
    {
        ConfigSpace config = NewConfig();
        config.SetBar(2, kind, size);

        uint before = config.Guest<uint>(0x18);
        config.Guest(0x18, 0xFFFF_FFFFu);

        before.Should().Be(initial);
        config.Guest<uint>(0x18).Should().Be(sized);
        config.Guest<uint>(0x1C).Should().Be(0); // no neighbour
    }

    [Theory]
    [InlineData(BarKind.Memory64, 0x4000, 0xFFFF_FFFF_FFFF_C004)]
    [InlineData(BarKind.Memory64Prefetchable, 0x1000_0000, 0xFFFF_FFFF_F000_000C)]
    [InlineData(BarKind.Memory64, 0x1_0000_0000, 0xFFFF_FFFF_0000_0004)]
    [InlineData(BarKind.Memory64Prefetchable, 0x40_0000_0000, 0xFFFF_FFC0_0000_000C)]
    [InlineData(BarKind.Memory64, 0x4000_0000_0000_0000, 0xC000_0000_0000_0004)]
    public void Writing_ones_to_a_64_bit_bar_reads_its_size_mask_from_both_halves(BarKind kind, long size, ulong sized)
    {
        ConfigSpace config = NewConfig();
        config.SetBar(4, kind, size);

        config.Guest(0x20, 0xFFFF_FFFFu);
        config.Guest(0x24, 0xFFFF_FFFFu);

        config.Guest<ulong>(0x20).Should().Be(sized);
    }

    [Fact]
    public void A_bar_can_be_sized_byte_by_byte()
    {
        ConfigSpace config = NewConfig();
        config.SetBar(0, BarKind.Memory32Prefetchable, 0x2000);

        for (int i = 0; i < 4; i++) config.Guest<byte>(0x10 + i, 0xFF);

        config.GuestBytes(0x10, 4).Should().Equal(0x08, 0xE0, 0xFF, 0xFF);
    }

    [Fact]
    public void A_write_may_straddle_two_bars()
    {
        ConfigSpace config = NewConfig();
        config.SetBar(0, BarKind.Memory32, 0x100);
        config.SetBar(1, BarKind.Io, 0x40);

        config.Guest(0x12, 0xC0FF_FEB0u);

        config.GuestBytes(0x10, 8).Should().Equal(0x00, 0x00, 0xB0, 0xFE, 0xC1, 0xC0, 0x00, 0x00);
    }

    [Fact]
    public void An_address_comes_back_without_type_bits()
    {
        ConfigSpace config = NewConfig();
        config.SetBar(0, BarKind.Memory32Prefetchable, 0x1000);
        config.SetBar(1, BarKind.Io, 0x20);
        config.SetBar(2, BarKind.Memory64, 0x2_0000_0000);

        config.Guest(0x10, 0xFEB0_1234u);
        config.Guest(0x14, 0x0000_C03Fu);
        config.Guest(0x18, 0x1234_5678u);
        config.Guest(0x1C, 0x0000_0383u);

        config.BarAddress(0).Should().Be(0xFEB0_1000);
        config.BarAddress(1).Should().Be(0xC020);
        config.BarAddress(2).Should().Be(0x0382_0000_0000);
    }

    [Fact]
    public void A_bar_that_was_not_declared_stays_zero()
    {
        ConfigSpace config = NewConfig();

        config.Guest(0x10, 0xFFFF_FFFFu);

        config.Guest<uint>(0x10).Should().Be(0);
    }

    [Theory]
    [InlineData(0x800, 0xFFFF_F800u)]
    [InlineData(0x1_0000, 0xFFFF_0000u)]
    [InlineData(0x100_0000, 0xFF00_0000u)]
    public void Writing_the_address_mask_to_the_rom_bar_reads_its_size(int size, uint sized)
    {
        ConfigSpace config = NewConfig();
        config.SetRom(size);

        config.Guest(0x30, 0xFFFF_F800u); // what QEMU and Linux write: all ones but for the enable bit

        config.Guest<uint>(0x30).Should().Be(sized);
        config.IsRomEnabled.Should().BeFalse();
    }

    [Fact]
    public void The_rom_has_an_address_and_an_enable_bit()
    {
        ConfigSpace config = NewConfig();
        config.SetRom(0x1_0000);

        config.Guest(0x30, 0xFEB1_07FFu);

        config.Guest<uint>(0x30).Should().Be(0xFEB1_0001u);
        config.RomAddress.Should().Be(0xFEB1_0000u);
        config.IsRomEnabled.Should().BeTrue();
    }

    [Fact]
    public void Without_a_rom_its_bar_stays_zero()
    {
        ConfigSpace config = NewConfig();

        config.Guest(0x30, 0xFFFF_FFFFu);

        config.Guest<uint>(0x30).Should().Be(0);
    }

    [Theory]
    [InlineData(-1, BarKind.Memory32, 0x1000, "*BAR 0 to BAR 5*")]
    [InlineData(6, BarKind.Memory32, 0x1000, "*BAR 0 to BAR 5*")]
    [InlineData(0, BarKind.Memory32, 0, "*power of two*16 bytes to 2 GiB*")]
    [InlineData(0, BarKind.Memory32, 0x8, "*power of two*16 bytes to 2 GiB*")]
    [InlineData(0, BarKind.Memory32, 0x1800, "*power of two*")]
    [InlineData(0, BarKind.Memory32, 0x1_0000_0000, "*use a 64-bit kind*")]
    [InlineData(0, BarKind.Io, 2, "*4 bytes to 64 KiB*")]
    [InlineData(0, BarKind.Io, 0x2_0000, "*4 bytes to 64 KiB*")]
    [InlineData(0, (BarKind)9, 0x1000, "*named BarKind*")]
    [InlineData(5, BarKind.Memory64, 0x1000, "*two registers*0 to 4*")]
    [InlineData(2, BarKind.Memory32, 0x1000, "*BAR 2 is declared already*")]
    [InlineData(1, BarKind.Memory64, 0x1000, "*BAR 2 is declared already*needs BAR 2 too*")]
    [InlineData(4, BarKind.Io, 0x100, "*upper half of the 64-bit BAR 3*")]
    public void A_bar_that_cannot_be_is_refused_with_a_reason(int index, BarKind kind, long size, string message)
    {
        ConfigSpace config = NewConfig();
        config.SetBar(2, BarKind.Memory32, 0x1000);
        config.SetBar(3, BarKind.Memory64, 0x1000);
        byte[] before = config.GuestBytes(0x10, 24);

        Action declare = () => config.SetBar(index, kind, size);

        declare.Should().Throw<ArgumentException>().WithMessage(message);
        config.GuestBytes(0x10, 24).Should().Equal(before);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(0x400u)]
    [InlineData(0x1800u)]
    [InlineData(0x200_0000u)]
    public void A_rom_of_an_impossible_size_is_refused(int size)
    {
        Action declare = () => NewConfig().SetRom(size);

        declare.Should().Throw<ArgumentException>().WithMessage("*power of two from 2 KiB to 16 MiB*");
    }

    [Theory]
    [InlineData(0)] // not declared
    [InlineData(3)] // the upper half
    [InlineData(6)]
    public void There_is_no_address_without_a_bar(int index)
    {
        ConfigSpace config = NewConfig();
        config.SetBar(2, BarKind.Memory64, 0x1000);

        Action ask = () => config.BarAddress(index);

        ask.Should().Throw<ArgumentException>();
    }
}
