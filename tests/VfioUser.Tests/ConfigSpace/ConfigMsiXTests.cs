using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigMsiXTests
{
    private readonly ConfigSpace _config = NewConfig();

    private MsiXCapability Add(int vectors = 3)
    {
        _config.SetBar(0, BarKind.Memory32, 0x1000);
        _config.SetBar(4, BarKind.Memory64, 0x1000);
        return _config.AddMsiX(vectors, tableBar: 4, tableOffset: 0x800, pbaBar: 0, pbaOffset: 0x48);
    }

    [Fact]
    public void Capability_points_to_table_and_pending_bits()
    {
        MsiXCapability msiX = Add(vectors: 3);

        _config.GuestBytes(0x40, 12).Should().Equal(
            0x11, 0x00, 0x02, 0x00, 0x04, 0x08, 0x00, 0x00, 0x48, 0x00, 0x00, 0x00);
        msiX.Vectors.Should().Be(3);
        msiX.IsEnabled.Should().BeFalse();
        msiX.IsFunctionMasked.Should().BeFalse();
    }

    [Fact]
    public void Only_enable_and_function_mask_are_writable()
    {
        MsiXCapability msiX = Add(vectors: 3);

        _config.Guest<ushort>(0x42, 0xFFFF);
        _config.Guest(0x44, 0xFFFF_FFFF_FFFF_FFFFul);

        _config.GuestBytes(0x40, 12).Should().Equal(
            0x11, 0x00, 0x02, 0xC0, 0x04, 0x08, 0x00, 0x00, 0x48, 0x00, 0x00, 0x00);
        msiX.IsEnabled.Should().BeTrue();
        msiX.IsFunctionMasked.Should().BeTrue();
    }

    [Fact]
    public void Writing_zeros_disables_and_unmasks()
    {
        MsiXCapability msiX = Add();
        _config.Guest<ushort>(0x42, 0xC000);

        _config.Guest<ushort>(0x42, 0x0000);

        _config.Guest<ushort>(0x42).Should().Be(0x0002);
        msiX.IsEnabled.Should().BeFalse();
        msiX.IsFunctionMasked.Should().BeFalse();
    }

    [Fact]
    public void Some_versions_of_qemu_write_two_bytes_from_the_upper_byte_of_control()
    {
        Add();

        _config.GuestWrite(0x43, [0xC0, 0xFF]); // the second byte hits the table's offset

        _config.GuestBytes(0x42, 6).Should().Equal(0x02, 0xC0, 0x04, 0x08, 0x00, 0x00);
    }

    [Fact]
    public void The_upper_byte_of_control_can_be_written_alone()
    {
        MsiXCapability msiX = Add();

        _config.Guest<byte>(0x43, 0x80);

        msiX.IsEnabled.Should().BeTrue();
        _config.Guest<ushort>(0x42).Should().Be(0x8002);
    }

    [Fact]
    public void A_write_after_the_control_register_leaves_msi_x_enabled()
    {
        MsiXCapability msiX = Add();
        _config.Guest<ushort>(0x42, 0x8000);

        _config.Guest<byte>(0x44, 0x00);

        msiX.IsEnabled.Should().BeTrue();
        _config.Guest<uint>(0x44).Should().Be(0x0000_0804u);
    }

    [Fact]
    public void A_write_handler_is_called_after_the_two_bits_are_stored()
    {
        MsiXCapability msiX = Add();
        List<(bool, bool)> seen = [];
        msiX.Written = () => seen.Add((msiX.IsEnabled, msiX.IsFunctionMasked));

        _config.Guest<ushort>(0x42, 0xC000);
        _config.Guest<byte>(0x43, 0x80);
        _config.Guest<byte>(0x42, 0xFF); // the size of the table

        seen.Should().Equal((true, true), (true, false));
    }

    [Fact]
    public void A_reset_disables()
    {
        MsiXCapability msiX = Add();
        _config.Seal();
        _config.Guest<ushort>(0x42, 0xC000);

        _config.Reset();

        msiX.IsEnabled.Should().BeFalse();
        _config.Guest<ushort>(0x42).Should().Be(0x0002);
    }

    [Theory]
    [InlineData(0, 0, 0, 0, 0x800, "*1 to 2048 vectors*")]
    [InlineData(2049, 0, 0, 0, 0x800, "*1 to 2048 vectors*")]
    [InlineData(1, 3, 0, 0, 0x800, "*There is no BAR 3: declare it first*")]
    [InlineData(1, 0, 0, 7, 0x800, "*BAR 0 to BAR 5*")]
    [InlineData(1, 5, 0, 0, 0x800, "*BAR 5 is I/O space*")]
    [InlineData(1, 0, 4, 0, 0x800, "*0x4 of the MSI-X table is not a multiple of 8*")]
    [InlineData(1, 0, 0, 0, 0x804, "*0x804 of the MSI-X pending bit array is not a multiple of 8*")]
    [InlineData(257, 0, 0, 1, 0, "*table has 0x1010 bytes at 0x0 and goes beyond the 0x1000 bytes of BAR 0*")]
    [InlineData(1, 0, 0, 0, 0x1000, "*pending bit array has 0x8 bytes at 0x1000 and goes beyond*")]
    [InlineData(1, 0, 0xFFFF_FFF8, 0, 0, "*goes beyond*")]
    [InlineData(2, 0, 0x800, 0, 0x818, "*overlaps the pending bits at 0x818*")]
    public void A_table_that_cannot_be_is_refused_with_a_reason(
        int vectors, int tableBar, uint tableOffset, int pbaBar, uint pbaOffset, string message)
    {
        _config.SetBar(0, BarKind.Memory32, 0x1000);
        _config.SetBar(1, BarKind.Memory32, 0x1000);
        _config.SetBar(5, BarKind.Io, 0x1000);

        Action add = () => _config.AddMsiX(vectors, tableBar, tableOffset, pbaBar, pbaOffset);

        add.Should().Throw<ArgumentException>().WithMessage(message);
        _config.MsiX.Should().BeNull();
    }

    [Fact]
    public void The_largest_table_fills_its_bar()
    {
        _config.SetBar(0, BarKind.Memory32, 0x8000);
        _config.SetBar(1, BarKind.Memory32, 0x100);

        _config.AddMsiX(vectors: 2048, tableBar: 0, tableOffset: 0, pbaBar: 1, pbaOffset: 0);

        _config.Guest<ushort>(0x42).Should().Be(0x07FF);
    }
}
