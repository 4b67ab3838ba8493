using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

/// <summary>The scenarios of libvfio-user's <c>test_pci_caps.py</c> on placing, linking and finding; and ours.</summary>
public class ConfigCapabilityListTests
{
    [Fact]
    public void Without_capabilities_there_is_no_list()
    {
        ConfigSpace config = NewConfig();

        config.Guest<ushort>(0x06).Should().Be(0);
        config.Guest<byte>(0x34).Should().Be(0);
        config.FindCapability(0x01).Should().BeNull();
    }

    [Fact]
    public void Capabilities_are_placed_one_after_the_other_and_linked_in_order_of_adding()
    {
        ConfigSpace config = NewConfig();

        int[] offsets =
        [
            config.AddPowerManagement().Offset,
            config.AddVendorSpecific("abc"u8).Offset,
            config.AddVendorSpecific("Hello world."u8).Offset, // dword-aligned behind 6 bytes
            config.AddVendorSpecific("Hello world."u8, offset: 0x80).Offset,
            config.AddVendorSpecific("Hello world."u8, offset: 0x90).Offset,
        ];

        offsets.Should().Equal(0x40, 0x48, 0x50, 0x80, 0x90);
        config.Guest<ushort>(0x06).Should().Be(0x0010);
        config.Guest<byte>(0x34).Should().Be(0x40);
        config.GuestBytes(0x40, 2).Should().Equal(0x01, 0x48);
        config.GuestBytes(0x48, 6).Should().Equal(0x09, 0x50, 0x06, (byte)'a', (byte)'b', (byte)'c');
        config.GuestBytes(0x50, 3).Should().Equal(0x09, 0x80, 0x0F);
        config.GuestBytes(0x80, 3).Should().Equal(0x09, 0x90, 0x0F);
        config.GuestBytes(0x90, 3).Should().Equal(0x09, 0x00, 0x0F);
    }

    [Fact]
    public void Every_capability_is_found_by_walking_on_from_the_last_one()
    {
        ConfigSpace config = NewConfig();
        config.AddPowerManagement();
        config.AddVendorSpecific("abc"u8);
        config.AddVendorSpecific("Hello world."u8, offset: 0x90);
        config.AddVendorSpecific("Hello world."u8, offset: 0x80);

        config.FindCapability(0x01).Should().Be(0x40);
        config.FindCapability(0x01, after: 0x40).Should().BeNull();
        config.FindCapability(0x09).Should().Be(0x48);
        config.FindCapability(0x09, after: 0x40).Should().Be(0x48);
        config.FindCapability(0x09, after: 0x48).Should().Be(0x90); // the list's order, not the addresses'
        config.FindCapability(0x09, after: 0x90).Should().Be(0x80);
        config.FindCapability(0x09, after: 0x80).Should().BeNull();
        config.FindCapability(0x05).Should().BeNull();
    }

    [Theory]
    [InlineData(0x2000)]
    [InlineData(0x100)]
    [InlineData(0xFF)]
    [InlineData(0x49)]
    [InlineData(-4)]
    public void Searching_on_from_where_no_capability_starts_is_refused(int after)
    {
        ConfigSpace config = NewConfig();
        config.AddPowerManagement();
        config.AddVendorSpecific("abc"u8);

        Action find = () => config.FindCapability(0x01, after);

        find.Should().Throw<ArgumentException>().WithMessage("*No capability starts at*");
    }

    [Fact]
    public void The_first_gap_that_is_large_enough_is_used()
    {
        ConfigSpace config = NewConfig();
        config.AddField<uint>(0x44, 0);
        config.AddVendorSpecific([1], offset: 0x4C);

        int small = config.AddVendorSpecific([]).Offset;
        int power = config.AddPowerManagement().Offset;

        small.Should().Be(0x40);
        power.Should().Be(0x50);
    }

    [Fact]
    public void A_capability_without_a_name_is_no_obstacle()
    {
        ConfigSpace config = NewConfig();

        PciCapability raw = config.AddCapability(
            0x81, [0x11, 0x22, 0x33, 0x44], writeMask: [0x0F, 0x00, 0x00, 0x00], clearMask: [0x00, 0x00, 0x00, 0xFF]);
        config.Guest(raw.Offset, 0xFFFF_FFFFu);
        config.Guest<ushort>(raw.Offset + 4, 0x4000);

        raw.Should().BeEquivalentTo(new { Id = 0x81, Offset = 0x40, Size = 6 });
        config.GuestBytes(0x40, 6).Should().Equal(0x81, 0x00, 0x1F, 0x22, 0x33, 0x04);
    }

    [Fact]
    public void A_guest_cannot_write_the_header_of_a_capability()
    {
        ConfigSpace config = NewConfig();
        config.AddPowerManagement();
        config.AddVendorSpecific([0xAA, 0xBB], VendorCapabilityAccess.Writable);

        config.Guest<ushort>(0x40, 0xFFFF);
        config.Guest(0x48, 0xFFFF_FFFFu);

        config.GuestBytes(0x40, 2).Should().Equal(0x01, 0x48);
        config.GuestBytes(0x48, 5).Should().Equal(0x09, 0x00, 0x05, 0xFF, 0xBB);
    }

    [Theory]
    [InlineData(0x3C, "*from 0x40 to 0xF8*")] // the header
    [InlineData(0, "*from 0x40 to 0xF8*")]
    [InlineData(0xFC, "*8 bytes does not fit at 0xFC*from 0x40 to 0xF8*")]
    [InlineData(0x100, "*does not fit at 0x100*")]
    [InlineData(0x7FFF_FFFC, "*does not fit*")]
    [InlineData(-4, "*does not fit*")]
    [InlineData(0x42, "*0x42*not a multiple of 4: use 0x40*")]
    [InlineData(0x7C, "*power management*0x7C to 0x83*overlaps a vendor-specific capability (0x80 to 0x87)*")]
    [InlineData(0x84, "*overlaps*")] // the vendor capability's padding
    [InlineData(0xA0, "*overlaps the field at 0xA3 (0xA3 to 0xA3)*")]
    public void A_place_that_cannot_be_is_refused_with_a_reason_and_leaves_no_trace(int offset, string message)
    {
        ConfigSpace config = NewConfig();
        config.AddVendorSpecific([1, 2], offset: 0x80);
        config.AddField<byte>(0xA3, 0);
        byte[] before = config.GuestBytes(0, 256);

        Action add = () => config.AddPowerManagement(offset: offset);

        add.Should().Throw<ArgumentException>().WithMessage(message);
        config.GuestBytes(0, 256).Should().Equal(before);
        config.PowerManagement.Should().BeNull();
        config.AddPowerManagement().Offset.Should().Be(0x40);
    }

    [Fact]
    public void A_capability_that_fits_in_no_gap_throws()
    {
        ConfigSpace config = NewConfig();
        config.AddVendorSpecific(new byte[180]);

        Action add = () => config.AddMsi();

        add.Should().Throw<InvalidOperationException>().WithMessage("*No 16 bytes in a row are free for the MSI capability*");
        config.AddPowerManagement().Offset.Should().Be(0xF8);
    }

    [Fact]
    public void A_capability_larger_than_the_space_is_refused()
    {
        Action vendor = () => NewConfig().AddVendorSpecific(new byte[190]);
        Action raw = () => NewConfig().AddCapability(0x81, new byte[191]);

        vendor.Should().Throw<ArgumentException>().WithMessage("*193 bytes*only room for 192*");
        raw.Should().Throw<ArgumentException>().WithMessage("*193 bytes*only room for 192*");
        NewConfig().AddVendorSpecific(new byte[189]).Size.Should().Be(192);
    }

    [Fact]
    public void A_device_has_each_named_capability_once()
    {
        ConfigSpace config = NewConfig();
        config.SetBar(0, BarKind.Memory32, 0x1000);
        config.AddPowerManagement();
        config.AddMsi();
        config.AddMsiX(vectors: 1, tableBar: 0, tableOffset: 0, pbaBar: 0, pbaOffset: 0x800);
        config.AddPciExpress();
        config.AddDeviceSerialNumber(1);

        Action[] seconds =
        [
            () => config.AddPowerManagement(),
            () => config.AddMsi(),
            () => config.AddMsiX(vectors: 1, tableBar: 0, tableOffset: 0, pbaBar: 0, pbaOffset: 0x800),
            () => config.AddPciExpress(),
            () => config.AddDeviceSerialNumber(2),
        ];

        seconds.Should().AllSatisfy(
            second => second.Should().Throw<InvalidOperationException>().WithMessage("*already, and can have only one*"));
    }

    [Theory]
    [InlineData(new byte[] { 1, 2 }, new byte[] { 1 }, new byte[0], "*1 bytes and the value 2*")]
    [InlineData(new byte[] { 1, 2 }, new byte[0], new byte[] { 1, 2, 3 }, "*3 bytes and the value 2*")]
    [InlineData(new byte[] { 1, 2 }, new byte[] { 0, 0x10 }, new byte[] { 0, 0x30 }, "*Byte 1 has a bit in both masks*")]
    public void Masks_must_match_the_body(byte[] body, byte[] writeMask, byte[] clearMask, string message)
    {
        Action raw = () => NewConfig().AddCapability(0x81, body, writeMask, clearMask);
        Action extended = () => NewConfig().AddExtendedCapability(0x81, 1, body, writeMask, clearMask);

        raw.Should().Throw<ArgumentException>().WithMessage(message);
        extended.Should().Throw<ArgumentException>().WithMessage(message);
    }
}
