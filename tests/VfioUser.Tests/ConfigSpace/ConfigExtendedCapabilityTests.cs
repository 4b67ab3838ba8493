using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

/// <summary>The scenarios of libvfio-user's <c>test_pci_ext_caps.py</c>, and ours.</summary>
public class ConfigExtendedCapabilityTests
{
    private readonly ConfigSpace _config = NewConfig();

    // PCI-X, which has extended capabilities as PCI Express does, and leaves the size to them
    public ConfigExtendedCapabilityTests() => _config.AddCapability(0x07, new byte[6]);

    [Fact]
    public void An_extended_capability_makes_the_space_4096_bytes_large()
    {
        int before = _config.Size;

        _config.AddDeviceSerialNumber(1);

        before.Should().Be(256);
        _config.Size.Should().Be(4096);
    }

    [Fact]
    public void An_empty_list_is_a_header_of_zeros()
    {
        _config.Extend();

        _config.Guest<uint>(0x100).Should().Be(0);
        _config.FindExtendedCapability(0x0003).Should().BeNull();
    }

    [Fact]
    public void Extended_capabilities_follow_each_other_in_order_of_adding()
    {
        int[] offsets =
        [
            _config.AddDeviceSerialNumber(0x0000_0008_0000_0004).Offset,
            _config.AddExtendedVendorSpecific(0x1A, revision: 0, "abcde"u8).Offset,
            _config.AddExtendedVendorSpecific(0x1B, revision: 3, "Hello world."u8).Offset, // dword-aligned behind 13 bytes
            _config.AddExtendedVendorSpecific(0x1C, revision: 0, "Hello world."u8, offset: 512).Offset,
            _config.AddExtendedVendorSpecific(0x1D, revision: 0, "Hello world."u8, offset: 600).Offset,
        ];

        offsets.Should().Equal(0x100, 0x10C, 0x11C, 0x200, 0x258);
        _config.GuestBytes(0x100, 12).Should().Equal(
            0x03, 0x00, 0xC1, 0x10, 0x04, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00);
        _config.GuestBytes(0x10C, 13).Should().Equal(
            0x0B, 0x00, 0xC1, 0x11, 0x1A, 0x00, 0xD0, 0x00, (byte)'a', (byte)'b', (byte)'c', (byte)'d', (byte)'e');
        _config.GuestBytes(0x11C, 8).Should().Equal(0x0B, 0x00, 0x01, 0x20, 0x1B, 0x00, 0x43, 0x01);
        _config.GuestBytes(0x200, 8).Should().Equal(0x0B, 0x00, 0x81, 0x25, 0x1C, 0x00, 0x40, 0x01);
        _config.GuestBytes(0x258, 8).Should().Equal(0x0B, 0x00, 0x01, 0x00, 0x1D, 0x00, 0x40, 0x01);
        _config.Guest<byte>(0x41).Should().Be(0, "the conventional list is another one");
    }

    [Fact]
    public void Every_one_is_found_by_walking_on_from_the_last_one()
    {
        _config.AddDeviceSerialNumber(1);
        _config.AddExtendedVendorSpecific(0x1A, 0, "abcde"u8);
        _config.AddExtendedVendorSpecific(0x1B, 0, "abcde"u8, offset: 0x300);
        _config.AddExtendedVendorSpecific(0x1C, 0, "abcde"u8, offset: 0x200);

        _config.FindExtendedCapability(0x0003).Should().Be(0x100);
        _config.FindExtendedCapability(0x0003, after: 0x100).Should().BeNull();
        _config.FindExtendedCapability(0x000B).Should().Be(0x10C);
        _config.FindExtendedCapability(0x000B, after: 0x10C).Should().Be(0x300);
        _config.FindExtendedCapability(0x000B, after: 0x300).Should().Be(0x200);
        _config.FindExtendedCapability(0x000B, after: 0x200).Should().BeNull();
        _config.FindCapability(0x03).Should().BeNull();
    }

    [Theory]
    [InlineData(0x2000)]
    [InlineData(0x1000)]
    [InlineData(0xFFF)]
    [InlineData(0x10D)]
    public void Searching_on_from_where_none_starts_is_refused(int after)
    {
        _config.AddDeviceSerialNumber(1);
        _config.AddExtendedVendorSpecific(0x1A, 0, "abcde"u8);

        Action find = () => _config.FindExtendedCapability(0x0003, after);

        find.Should().Throw<ArgumentException>().WithMessage("*No capability starts at*");
    }

    [Fact]
    public void A_guest_can_write_neither_headers_nor_the_serial_number()
    {
        _config.AddDeviceSerialNumber(0x0000_0008_0000_0004);
        _config.AddExtendedVendorSpecific(0x1A, 0, "abcde"u8, VendorCapabilityAccess.Writable);
        byte[] before = _config.GuestBytes(0x100, 0x14);
        byte[] ones = new byte[0x14];
        ones.AsSpan().Fill(0xFF);

        _config.GuestWrite(0x100, ones);

        _config.GuestBytes(0x100, 0x14).Should().Equal(before);
    }

    [Fact]
    public void Read_only_data_stays_and_writable_data_changes()
    {
        _config.AddExtendedVendorSpecific(0x1A, 0, "abcde"u8);
        _config.AddExtendedVendorSpecific(0x1B, 0, "Hello world."u8, VendorCapabilityAccess.Writable);

        _config.Guest<byte>(0x108, 0x01);
        _config.GuestWrite(0x118, "Bye world."u8);

        _config.GuestBytes(0x108, 5).Should().Equal("abcde"u8.ToArray());
        _config.GuestBytes(0x118, 12).Should().Equal("Bye world.d."u8.ToArray());
    }

    [Fact]
    public void Handlers_get_offsets_from_the_start_of_the_data()
    {
        VendorCapability vendor = _config.AddExtendedVendorSpecific(0x1B, 0, "Hello world."u8, VendorCapabilityAccess.Writable);
        List<(int, int)> calls = [];
        vendor.AddReadHandler((offset, value) => calls.Add((offset, value.Length)));
        vendor.AddWriteHandler((offset, written) => calls.Add((offset, written.Length)));

        _config.GuestBytes(0x100, 12);
        _config.Guest(0x10C, 0x0000_0002_0000_0001ul);

        calls.Should().Equal((0, 4), (4, 8));
        vendor.Read<ulong>(4).Should().Be(0x0000_0002_0000_0001);
    }

    [Fact]
    public void One_without_a_name_is_no_obstacle()
    {
        PciCapability raw = _config.AddExtendedCapability(
            0x0066, version: 2, [0xF0, 0x00, 0xF0, 0x00], writeMask: [0, 0xFF, 0, 0], clearMask: [0xC0, 0, 0, 0]);

        _config.Guest(0x104, 0xFFFF_FFFFu);

        raw.Offset.Should().Be(0x100);
        _config.GuestBytes(0x100, 8).Should().Equal(0x66, 0x00, 0x02, 0x00, 0x30, 0xFF, 0xF0, 0x00);
    }

    [Theory]
    [InlineData(0x200, "*first extended capability at 0x100*")]
    [InlineData(0xFFE, "*first extended capability at 0x100*")]
    [InlineData(0x40, "*first extended capability at 0x100*")]
    public void The_first_one_must_be_at_0x100(int offset, string message)
    {
        Action add = () => _config.AddDeviceSerialNumber(1, offset);

        add.Should().Throw<ArgumentException>().WithMessage(message);
        _config.Size.Should().Be(256);
    }

    [Theory]
    [InlineData(0xFFE, "*not a multiple of 4*")]
    [InlineData(0xFF8, "*does not fit at 0xFF8*0x100 to 0xFF4*")]
    [InlineData(0x1000, "*does not fit*")]
    [InlineData(0xF0, "*does not fit*")]
    [InlineData(0x104, "*overlaps extended capability 0x0018*")]
    public void A_place_that_cannot_be_is_refused_with_a_reason(int offset, string message)
    {
        _config.AddExtendedCapability(0x0018, version: 1, new byte[4]);

        Action add = () => _config.AddDeviceSerialNumber(1, offset);

        add.Should().Throw<ArgumentException>().WithMessage(message);
    }

    [Fact]
    public void The_first_one_is_not_moved_to_make_room_for_a_field()
    {
        _config.Extend();
        _config.AddField(0x104, 0u);

        Action add = () => _config.AddDeviceSerialNumber(1);

        add.Should().Throw<ArgumentException>().WithMessage("*overlaps the field at 0x104*");
    }

    [Fact]
    public void Numbers_that_do_not_fit_the_header_are_refused()
    {
        Action id = () => _config.AddExtendedCapability(0, version: 1, []);
        Action version = () => _config.AddExtendedCapability(0x18, version: 16, []);
        Action revision = () => _config.AddExtendedVendorSpecific(0x1A, revision: 16, []);
        Action size = () => _config.AddExtendedVendorSpecific(0x1A, revision: 0, new byte[3833]);

        id.Should().Throw<ArgumentOutOfRangeException>();
        version.Should().Throw<ArgumentOutOfRangeException>();
        revision.Should().Throw<ArgumentOutOfRangeException>();
        size.Should().Throw<ArgumentException>().WithMessage("*3841 bytes*only room for 3840*");
    }

    [Fact]
    public void The_largest_one_fills_the_space()
    {
        VendorCapability vendor = _config.AddExtendedVendorSpecific(0x1A, 0, new byte[3832], VendorCapabilityAccess.Writable);

        _config.Guest<byte>(0xFFF, 0x77);

        vendor.Size.Should().Be(3840);
        _config.Guest<uint>(0x104).Should().Be(0xF000_001Au);
        _config.Guest<byte>(0xFFF).Should().Be(0x77);
    }
}
