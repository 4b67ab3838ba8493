using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class ReadOnlyRegionTests
{
    private readonly RecordingHandler _handler = new();

    [Fact]
    public void A_read_only_bar_has_no_write_flag_and_refuses_writes()
    {
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddBar(0, BarKind.Memory32, 0x1000, _handler, writable: false)));

        guest.Client.GetRegionInfo(0).Info.Flags.Should().Be(RegionFlags.Read);
        guest.Bar0.Invoking(bar => bar.Write(0, 1u)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
        guest.Bar0.Post(0, 1u);

        guest.Bar0.Read<uint>(0x10).Should().Be(0x1312_1110);
        _handler.Writes.Should().BeEmpty();
    }

    [Fact]
    public void The_device_still_changes_what_the_guest_only_reads()
    {
        Register<uint> register = null!;
        RegionMemory memory = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device =>
        {
            register = device.AddBar(0, BarKind.Memory32, 0x1000, writable: false).AddRegister<uint>(0);
            memory = device.AddBar(1, BarKind.Memory32, 0x1000, writable: false).ShareMemory();
        }));

        register.Value = 7;
        memory.Span(8, 1)[0] = 9;

        guest.Bar0.Read<uint>(0).Should().Be(7);
        guest.Bar1.Read<byte>(8).Should().Be(9);
        guest.Client.GetRegionInfo(1).Info.Flags.Should().Be(RegionFlags.Read | RegionFlags.Mmap);
    }

    [Fact]
    public void A_region_of_the_devices_own_can_be_read_only_too()
    {
        DeviceRegion region = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device => region = device.AddDeviceRegion(1, 2, 0x100, _handler, writable: false)));

        guest.Region(region.Index).Invoking(it => it.Write(0, 1u)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);

        region.IsWritable.Should().BeFalse();
        guest.Region(region.Index).Read<byte>(5).Should().Be(5);
        _handler.Writes.Should().BeEmpty();
    }

    [Fact]
    public void A_rom_may_have_a_handler_which_is_never_written_to()
    {
        using var guest = TestGuest.Attach(new BlankDevice(device => device.AddRom(0x1000, _handler).Size.Should().Be(0x1000)));

        guest.Rom.Invoking(rom => rom.Write(0, 1u)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
        guest.Config.Write(0x30, 0xFFFF_F800u);

        guest.Rom.Read<uint>(0xFFC).Should().Be(0xFFFE_FDFC);
        guest.Config.Read<uint>(0x30).Should().Be(0xFFFF_F000);
        _handler.Writes.Should().BeEmpty();
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(0x400u)]
    [InlineData(0x1800u)]
    [InlineData(0x200_0000u)]
    public void A_rom_has_a_size_that_the_guest_can_find_out(int size)
    {
        BlankDevice device = new();

        device.Invoking(it => it.AddRom(size, _handler)).Should().Throw<ArgumentOutOfRangeException>();
    }
}
