using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests.Serving;

/// <summary>A reset that the driver asks for in the PCI Express capability. PCI Express 2.0 6.6.2.</summary>
public sealed class FunctionLevelResetTests
{
    private const byte Initiate = 0x80;
    private readonly List<ResetReason> _resets = [];
    private readonly BlankDevice _device;
    private Register<uint> _register = null!;
    private IrqVectors _irqs = null!;

    public FunctionLevelResetTests() => _device = new BlankDevice(device =>
    {
        Bar bar = device.AddBar(0, BarKind.Memory32, 0x1000);
        _register = bar.AddRegister<uint>(0);
        _irqs = bar.AddMsiX(0x800, 1);
        device.Config.AddPciExpress();
        device.WhenReset = _resets.Add;
    });

    private long DeviceControl => _device.Config.PciExpress!.Offset + 8;

    [Fact]
    public void The_device_gets_the_reset_reason_and_its_initial_state()
    {
        using var guest = TestGuest.Attach(_device);
        guest.Bar0.Write(0, 5u);
        guest.Config.Write(0x10, 0xFEB0_0000u);

        guest.Config.Write(DeviceControl + 1, Initiate);

        _resets.Should().Equal(ResetReason.FunctionLevel);
        _register.Value.Should().Be(0);
        guest.Config.Read<uint>(0x10).Should().Be(0);
        (guest.Config.Read<byte>(DeviceControl + 1) & Initiate).Should().Be(0);
    }

    [Fact]
    public void The_clients_memory_and_eventfds_stay()
    {
        using var guest = TestGuest.Attach(_device);
        Iova place = guest.Place("before"u8);

        guest.Config.Write(DeviceControl + 1, Initiate);

        byte[] read = new byte[6];
        _device.Dma.TryRead(place, read).Should().BeTrue();
        read.Should().Equal("before"u8.ToArray());
        _irqs[0].Trigger().Should().BeTrue();
        guest.MsiX[0].Count.Should().Be(1);
    }

    [Fact]
    public void A_device_that_throws_fails_the_write_and_the_session_continues()
    {
        _device.WhenReset = _ => throw new InvalidOperationException("reset");
        using var guest = TestGuest.Attach(_device);

        guest.Config.Invoking(config => config.Write(DeviceControl + 1, Initiate))
            .Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EIO);

        guest.Bar0.Write(0, 6u);
        _register.Value.Should().Be(6);
    }
}
