using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Scenarios: test_device_get_region_io_fds.py. No region has any. Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS.</summary>
public sealed class GetRegionIoFdsTests : IDisposable
{
    private readonly Served _served = Served.Start();
    private readonly RawClient _client;

    public GetRegionIoFdsTests() => _client = _served.Attach();

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }

    [Theory]
    [InlineData(16u, ProbeDevice.Plain)]
    [InlineData(4096u, ProbeDevice.Sparse)]
    [InlineData(16u, ProbeDevice.ConfigIndex)]
    public void No_region_has_any(uint argsz, uint index)
    {
        RawReply reply = _client.Ask(Command.DeviceGetRegionIoFds, new RegionIoFds(argsz, 0, index, 0));

        reply.ShouldBeGranted<RegionIoFds>().Should().Be(new RegionIoFds(16, 0, index, 0));
        reply.Fds.Should().BeNull();
    }

    [Theory]
    [InlineData(0u, 0u, 0u, 0u)] // argsz
    [InlineData(15u, 0u, 0u, 0u)]
    [InlineData(ProtocolLimits.MaxDataTransferSize + 1u, 0u, 0u, 0u)]
    [InlineData(16u, 1u, 0u, 0u)] // flags
    [InlineData(16u, 0u, ProbeDevice.Absent, 0u)] // index
    [InlineData(16u, 0u, 9u, 0u)]
    [InlineData(16u, 0u, uint.MaxValue, 0u)]
    [InlineData(16u, 0u, 0u, 1u)] // count
    public void A_bad_field_is_refused(uint argsz, uint flags, uint index, uint count)
    {
        _client.Ask(Command.DeviceGetRegionIoFds, new RegionIoFds(argsz, flags, index, count)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Fact]
    public void A_payload_that_is_too_short_is_refused() =>
        _client.Ask(Command.DeviceGetRegionIoFds, new byte[15]).ShouldBeRefused(Errno.EINVAL);
}
