using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Scenarios: test_device_get_info.py. Spec: VFIO_USER_DEVICE_GET_INFO.</summary>
public sealed class GetInfoTests : IDisposable
{
    private readonly Served _served = Served.Start();
    private readonly RawClient _client;

    public GetInfoTests() => _client = _served.Attach();

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }

    [Theory]
    [InlineData(16u)]
    [InlineData(32u)] // QEMU and the Rust client say so
    [InlineData(uint.MaxValue)]
    public void A_pci_device_has_nine_regions_and_five_interrupt_types(uint argsz)
    {
        DeviceInfo info = _client.Ask(Command.DeviceGetInfo, new DeviceInfo(argsz, 0, 0, 0)).ShouldBeGranted<DeviceInfo>();

        info.Should().Be(new DeviceInfo(16, DeviceFlags.Pci | DeviceFlags.Reset, 9, 5));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(8u)]
    [InlineData(15u)]
    public void An_argsz_that_holds_no_answer_is_refused(uint argsz)
    {
        _client.Ask(Command.DeviceGetInfo, new DeviceInfo(argsz, 0, 0, 0)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(15)]
    public void A_payload_that_is_too_short_is_refused(int length)
    {
        _client.Ask(Command.DeviceGetInfo, RawClient.Bytes(new DeviceInfo(16, 0, 0, 0)).AsSpan(0, length)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Fact]
    public void Other_fields_of_the_request_are_ignored() =>
        _client.Ask(Command.DeviceGetInfo, RawClient.Bytes(new DeviceInfo(16, (DeviceFlags)uint.MaxValue, 77, 88), new byte[16]))
            .ShouldBeGranted<DeviceInfo>().RegionCount.Should().Be(9);

    [Fact]
    public void Descriptors_are_closed()
    {
        using EventFd eventFd = new();

        _client.Ask(Command.DeviceGetInfo, new DeviceInfo(16, 0, 0, 0), eventFd.Handle).ShouldBeGranted<DeviceInfo>();

        _client.ShouldBeServed();
    }
}
