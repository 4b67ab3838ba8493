using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Scenarios: test_device_get_irq_info.py. Spec: VFIO_USER_DEVICE_GET_IRQ_INFO.</summary>
public sealed class GetIrqInfoTests : IDisposable
{
    private readonly Served _served = Served.Start();
    private readonly RawClient _client;

    public GetIrqInfoTests() => _client = _served.Attach();

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }

    [Theory]
    [InlineData(IrqType.Intx, IrqInfoFlags.EventFd | IrqInfoFlags.Maskable | IrqInfoFlags.AutoMasked, 1u)]
    [InlineData(IrqType.Msi, IrqInfoFlags.EventFd, 0u)] // it has none
    [InlineData(IrqType.MsiX, IrqInfoFlags.EventFd | IrqInfoFlags.Maskable, 2048u)]
    [InlineData(IrqType.Error, IrqInfoFlags.EventFd, 1u)]
    [InlineData(IrqType.Request, IrqInfoFlags.EventFd, 1u)]
    public void Each_interrupt_type_is_described(IrqType type, IrqInfoFlags flags, uint count)
    {
        foreach (uint argsz in (uint[])[16, 32])
        {
            _client.Ask(Command.DeviceGetIrqInfo, new IrqInfo(argsz, 0, (uint)type, 0)).ShouldBeGranted<IrqInfo>()
                .Should().Be(new IrqInfo(16, flags, (uint)type, count));
        }
    }

    [Theory]
    [InlineData(8u, 0u)] // argsz
    [InlineData(15u, 0u)]
    [InlineData(16u, 5u)] // index
    [InlineData(16u, uint.MaxValue)]
    public void A_bad_field_is_refused(uint argsz, uint index)
    {
        _client.Ask(Command.DeviceGetIrqInfo, new IrqInfo(argsz, 0, index, 0)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Fact]
    public void A_payload_that_is_too_short_is_refused()
    {
        _client.Ask(Command.DeviceGetIrqInfo, new byte[8]).ShouldBeRefused(Errno.EINVAL);
        _client.Ask(Command.DeviceGetIrqInfo, RawClient.Bytes(new IrqInfo(16, 0, 0, 0)).AsSpan(0, 15)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Fact]
    public void Descriptors_are_closed()
    {
        using EventFd eventFd = new();

        _client.Ask(Command.DeviceGetIrqInfo, new IrqInfo(16, 0, 0, 0), eventFd.Handle).ShouldBeGranted<IrqInfo>();

        _client.ShouldBeServed();
    }
}
