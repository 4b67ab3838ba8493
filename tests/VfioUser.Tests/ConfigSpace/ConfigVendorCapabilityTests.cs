using FluentAssertions;
using Xunit;
using static VfioUser.Tests.GuestConfigAccess;

namespace VfioUser.Tests;

public class ConfigVendorCapabilityTests
{
    private readonly ConfigSpace _config = NewConfig();

    [Fact]
    public void Read_only_data_stays_as_it_is()
    {
        VendorCapability vendor = _config.AddVendorSpecific("abc"u8);

        _config.Guest<byte>(0x42, 0x01); // the length
        _config.GuestWrite(0x43, [0x01, 0x02, 0x03]);

        _config.GuestBytes(0x40, 6).Should().Equal(0x09, 0x00, 0x06, (byte)'a', (byte)'b', (byte)'c');
        vendor.DataOffset.Should().Be(0x43);
        vendor.DataLength.Should().Be(3);
    }

    [Fact]
    public void Writable_data_takes_what_the_guest_writes()
    {
        VendorCapability vendor = _config.AddVendorSpecific("Hello world."u8, VendorCapabilityAccess.Writable);

        _config.GuestWrite(0x43, "Bye world."u8);

        _config.GuestBytes(0x43, 12).Should().Equal("Bye world.d."u8.ToArray());
        vendor.Read<ushort>(0).Should().Be(0x7942);
    }

    [Fact]
    public void A_write_handler_gets_the_part_within_the_data_after_it_was_stored()
    {
        VendorCapability vendor = _config.AddVendorSpecific([1, 2, 3, 4], VendorCapabilityAccess.Writable);
        List<(int Offset, byte[] Written, uint Stored)> calls = [];
        vendor.AddWriteHandler((offset, written) => calls.Add((offset, written.ToArray(), vendor.Read<uint>(0))));

        _config.GuestWrite(0x42, [0xAA, 0xBB]);
        _config.GuestWrite(0x45, [0xCC, 0xDD, 0xEE, 0xFF]);
        _config.GuestWrite(0x40, [0xAA, 0xBB, 0xCC]); // the header
        _config.GuestWrite(0x47, [0xAA]);             // behind

        calls.Should().BeEquivalentTo(
        [
            (0, new byte[] { 0xBB }, 0x0403_02BBu),
            (2, new byte[] { 0xCC, 0xDD }, 0xDDCC_02BBu),
        ]);
    }

    [Fact]
    public void A_write_handler_of_read_only_data_makes_a_command_register()
    {
        VendorCapability vendor = _config.AddVendorSpecific([0]);
        byte command = 0;
        vendor.AddWriteHandler((_, written) =>
        {
            command = written[0];
            vendor.Write(0, (byte)0x55); // a result
        });

        _config.Guest<byte>(0x43, 0x42);

        command.Should().Be(0x42);
        _config.Guest<byte>(0x43).Should().Be(0x55);
    }

    [Fact]
    public void A_read_handler_decides_what_the_guest_sees()
    {
        VendorCapability vendor = _config.AddVendorSpecific([1, 2, 3, 4]);
        List<int> offsets = [];
        vendor.AddReadHandler((offset, value) =>
        {
            offsets.Add(offset);
            for (int i = 0; i < value.Length; i++) value[i] |= 0x80;
        });

        _config.GuestBytes(0x42, 3).Should().Equal(0x07, 0x81, 0x82);
        _config.GuestBytes(0x45, 4).Should().Equal(0x83, 0x84, 0x00, 0x00);
        _config.GuestBytes(0x40, 3).Should().Equal(0x09, 0x00, 0x07);
        offsets.Should().Equal(0, 2);
        vendor.Read<uint>(0).Should().Be(0x0403_0201u); // as stored
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(int.MaxValue)]
    public void The_author_stays_within_the_data(int offset)
    {
        VendorCapability vendor = _config.AddVendorSpecific([1, 2, 3, 4]);

        Action read = () => vendor.Read<uint>(offset);
        Action write = () => vendor.Write(offset, 0u);

        read.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*4 bytes of data*");
        write.Should().Throw<ArgumentOutOfRangeException>().WithMessage("*4 bytes of data*");
    }

    [Fact]
    public void Handlers_come_before_serving()
    {
        VendorCapability vendor = _config.AddVendorSpecific([1]);
        _config.Seal();

        Action read = () => vendor.AddReadHandler((_, _) => { });
        Action write = () => vendor.AddWriteHandler((_, _) => { });

        read.Should().Throw<InvalidOperationException>().WithMessage("*constructor*");
        write.Should().Throw<InvalidOperationException>().WithMessage("*constructor*");
    }
}
