using VfioUser.Testing;

namespace VfioUser.Tests;

public class PciFunctionTests
{
    private const int Command = 0x04;
    private const int Bar0 = 0x10;

    private readonly BlankDevice _device = new(device =>
    {
        device.AddBar(0, BarKind.Memory64Prefetchable, 0x20000);
        Bar control = device.AddBar(2, BarKind.Memory32, 0x1000);
        device.AddBar(3, BarKind.Io, 0x20);
        device.AddRom("an image"u8);
        device.AddIntx();
        device.AddMsi(4);
        control.AddMsiX(0x800, 3);
        device.Config.AddVendorSpecific("abc"u8);
        device.Config.AddPciExpress();
        device.Config.AddDeviceSerialNumber(0x1122_3344_5566_7788);
    });

    [Fact]
    public void A_machine_finds_identity_capabilities_and_bars()
    {
        using var guest = TestGuest.Attach(_device);

        PciFunction function = guest.Enumerate();

        function.Id.Should().Be(_device.Id);
        (function.VendorId, function.DeviceId, function.Revision).Should().Be((_device.Id.Vendor, _device.Id.Device, _device.Id.Revision));
        (function.SubsystemVendorId, function.SubsystemId).Should().Be((_device.Id.SubsystemVendor, _device.Id.Subsystem));
        function.Class.Should().Be(PciClass.ProcessingAccelerator);
        function.Capabilities.Select(capability => (capability.Id, capability.IsExtended))
            .Should().Equal((0x05, false), (0x11, false), (0x09, false), (0x10, false), (0x03, true));
        function.FindCapability(0x09)!.Read<byte>(3).Should().Be((byte)'a');
        function.FindExtendedCapability(0x0003)!.Read<ulong>(4).Should().Be(0x1122_3344_5566_7788);
        function.FindExtendedCapability(0x0003)!.Version.Should().Be(1);
        function.FindCapability(0x01).Should().BeNull();
        function.Bars.Select(bar => (bar.Index, bar.Kind, bar.Size)).Should().Equal(
            (RegionIndex.Bar0, BarKind.Memory64Prefetchable, 0x20000L),
            (RegionIndex.Bar2, BarKind.Memory32, 0x1000L),
            (RegionIndex.Bar3, BarKind.Io, 0x20L));
        function.Rom!.Size.Should().Be(0x800);
    }

    [Fact]
    public void Bars_get_addresses_that_the_device_knows_and_that_do_not_overlap()
    {
        using var guest = TestGuest.Attach(_device);

        PciFunction function = guest.Enumerate();

        foreach (GuestBar bar in function.Bars)
        {
            _device.Config.BarAddress((int)bar.Index).Should().Be(bar.Address).And.NotBe(0);
            (bar.Address % (ulong)bar.Size).Should().Be(0);
        }
        _device.Config.RomAddress.Should().Be((uint)function.Rom!.Address);
        function.Rom.Address.Should().Match(rom => rom >= function.Bar(2).Address + (ulong)function.Bar(2).Size
            || rom + (ulong)function.Rom.Size <= function.Bar(2).Address);
        function.Bar(0).Region.Should().BeSameAs(guest.Bar0);
    }

    [Fact]
    public void Bars_that_have_addresses_and_are_enabled_stay_so()
    {
        using var guest = TestGuest.Attach(_device);
        PciFunction first = guest.StartDriver();
        byte[] before = new byte[0x100];
        guest.Config.Read(0, before);

        PciFunction second = guest.Enumerate();

        byte[] after = new byte[0x100];
        guest.Config.Read(0, after);
        after.Should().Equal(before);
        second.Bars.Select(bar => bar.Address).Should().Equal(first.Bars.Select(bar => bar.Address));
        second.ReadCommand().Should().HaveFlag(PciCommands.IoSpace | PciCommands.MemorySpace | PciCommands.BusMaster);
    }

    [Fact]
    public void Nothing_answers_at_a_bars_address_while_it_is_measured()
    {
        List<ushort> commands = [];
        ConfigSpace config = _device.Config;
        config.Intercept(new Patch(config, Bar0, value =>
        {
            commands.Add(config.Read<ushort>(Command));
            return value;
        }));
        using var guest = TestGuest.Attach(_device);
        guest.StartDriver();
        commands.Clear();

        guest.Enumerate();

        commands.Should().NotBeEmpty().And.OnlyContain(command => (command & 0b11) == 0);
        (config.IsMemoryEnabled, config.IsIoEnabled).Should().Be((true, true));
    }

    [Fact]
    public void A_bar_of_another_size_than_its_region_is_reported()
    {
        BlankDevice device = new(it => it.AddBar(0, BarKind.Memory32, 0x1000));
        device.Config.Intercept(new Patch(device.Config, Bar0, value => value & 0xFFFF_E000));
        using var guest = TestGuest.Attach(device);

        guest.Invoking(it => it.Enumerate()).Should().Throw<TestGuestException>()
            .WithMessage("Bar0 measures 0x2000 bytes in configuration space, but its region has 0x1000.");
    }

    [Fact]
    public void A_bar_whose_address_bits_have_a_gap_is_reported()
    {
        BlankDevice device = new(it => it.AddBar(0, BarKind.Memory32, 0x1000));
        device.Config.Intercept(new Patch(device.Config, Bar0, value => value & 0xFFFE_F000));
        using var guest = TestGuest.Attach(device);

        guest.Invoking(it => it.Enumerate()).Should().Throw<TestGuestException>().WithMessage("*Bar0*0xfffef000*");
    }

    [Theory]
    [InlineData(0x40, "*loop*back to 0x40*")]
    [InlineData(0x10, "*to 0x10, which lies in the header*")]
    [InlineData(0xF0, "*to 0xf0, where there is none*")]
    public void A_capability_list_that_leaves_its_space_is_reported(byte next, string message)
    {
        BlankDevice device = new(it =>
        {
            it.Config.AddVendorSpecific("abc"u8, offset: 0x40);
            it.Config.AddVendorSpecific("def"u8, offset: 0x48);
        });
        device.Config.Write<byte>(0xF0, 0xFF);
        device.Config.Write(0x49, next);
        using var guest = TestGuest.Attach(device);

        guest.Invoking(it => it.Enumerate()).Should().Throw<TestGuestException>().WithMessage(message);
    }

    [Theory]
    [InlineData(0x100, "*loop*back to 0x100*")]
    [InlineData(0x80, "*to 0x80, below 0x100*")]
    [InlineData(0x800, "*to 0x800, where there is none*")]
    public void An_extended_capability_list_that_leaves_its_space_is_reported(int next, string message)
    {
        BlankDevice device = new(it =>
        {
            it.Config.AddPciExpress();
            it.Config.AddDeviceSerialNumber(1);
        });
        device.Config.Write(0x102, (ushort)(next << 4 | 1));
        using var guest = TestGuest.Attach(device);

        guest.Invoking(it => it.Enumerate()).Should().Throw<TestGuestException>().WithMessage(message);
    }

    [Fact]
    public void A_device_with_nothing_but_an_identity_is_one()
    {
        using var guest = TestGuest.Attach(new BlankDevice());

        PciFunction function = guest.Enumerate();

        function.Capabilities.Should().BeEmpty();
        function.Bars.Should().BeEmpty();
        function.Rom.Should().BeNull();
        function.Invoking(it => it.Bar(0)).Should().Throw<TestGuestException>().WithMessage("There is no BAR 0*");
    }

    [Theory]
    [InlineData(BarKind.Memory32, 0x8000_0000)]
    [InlineData(BarKind.Memory64, 1L << 40)]
    [InlineData(BarKind.Io, 0x10000)]
    public void The_largest_bars_find_a_place(BarKind kind, long size)
    {
        BlankDevice device = new(it => it.AddBar(0, kind, size));
        using var guest = TestGuest.Attach(device);

        GuestBar bar = guest.Enumerate().Bar(0);

        bar.Size.Should().Be(size);
        device.Config.BarAddress(0).Should().Be(bar.Address);
    }

    /// <summary>Changes what a guest reads from one register.</summary>
    private sealed class Patch(ConfigSpace config, long register, Func<uint, uint> change) : IRegionHandler
    {
        public void Read(long offset, Span<byte> destination)
        {
            config.DefaultRead(offset, destination);
            if (offset == register && destination.Length == sizeof(uint))
                BitConverter.TryWriteBytes(destination, change(BitConverter.ToUInt32(destination)));
        }

        public void Write(long offset, ReadOnlySpan<byte> source) => config.DefaultWrite(offset, source);
    }
}
