using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Scenarios: test_device_get_region_info.py and its _zero_size. Spec: VFIO_USER_DEVICE_GET_REGION_INFO.</summary>
public sealed class GetRegionInfoTests : IDisposable
{
    private const RegionFlags ReadWrite = RegionFlags.Read | RegionFlags.Write;
    private readonly Served _served = Served.Start();
    private readonly RawClient _client;

    public GetRegionInfoTests() => _client = _served.Attach();

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }

    private static RegionInfo About(uint index, uint argsz = RegionInfo.WireSize) => new(argsz, 0, index, 0, 0, 0);

    [Theory]
    [InlineData(ProbeDevice.Plain, ReadWrite, 0x1000ul)]
    [InlineData(ProbeDevice.Table, ReadWrite, 0x10000ul)]
    [InlineData(ProbeDevice.Rom, RegionFlags.Read, 0x800ul)]
    [InlineData(ProbeDevice.ConfigIndex, ReadWrite, 0x100ul)]
    public void A_region_is_described(uint index, RegionFlags flags, ulong size)
    {
        foreach (uint argsz in (uint[])[32, 40, uint.MaxValue])
        {
            RawReply reply = _client.Ask(Command.DeviceGetRegionInfo, About(index, argsz));

            reply.ShouldBeGranted<RegionInfo>().Should().Be(new RegionInfo(32, flags, index, 0, size, 0));
            reply.Fds.Should().BeNull();
        }
    }

    [Theory]
    [InlineData(4u)]
    [InlineData(ProbeDevice.Absent)]
    [InlineData(8u)] // VGA
    public void A_region_that_the_device_does_not_have_has_no_size_and_no_flags(uint index) =>
        _client.Ask(Command.DeviceGetRegionInfo, About(index)).ShouldBeGranted<RegionInfo>()
            .Should().Be(new RegionInfo(32, 0, index, 0, 0, 0));

    [Theory]
    [InlineData(0u, 0u)] // argsz
    [InlineData(8u, 0u)]
    [InlineData(31u, 0u)]
    [InlineData(32u, 9u)] // index
    [InlineData(32u, uint.MaxValue)]
    public void A_bad_field_is_refused(uint argsz, uint index)
    {
        _client.Ask(Command.DeviceGetRegionInfo, About(index, argsz)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [InlineData(8)]
    [InlineData(31)]
    public void A_payload_that_is_too_short_is_refused(int length)
    {
        _client.Ask(Command.DeviceGetRegionInfo, RawClient.Bytes(About(0)).AsSpan(0, length)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [InlineData(32u)]
    [InlineData(79u)]
    public void Capabilities_that_do_not_fit_are_omitted_and_argsz_is_their_size(uint argsz)
    {
        RawReply reply = _client.Ask(Command.DeviceGetRegionInfo, About(ProbeDevice.Sparse, argsz));

        reply.ShouldBeGranted<RegionInfo>()
            .Should().Be(new RegionInfo(80, ReadWrite | RegionFlags.Mmap, ProbeDevice.Sparse, 0, 0x8000, 0));
    }

    [Theory]
    [InlineData(80u)]
    [InlineData(4096u)]
    public void Capabilities_that_fit_come_with_the_descriptor(uint argsz)
    {
        RawReply reply = _client.Ask(Command.DeviceGetRegionInfo, RawClient.Bytes(About(ProbeDevice.Sparse, argsz), new byte[48]));
        using FdList? fds = reply.Fds;

        reply.ShouldBegin<RegionInfo>(out byte[] caps).Should().Be(
            new RegionInfo(80, ReadWrite | RegionFlags.Mmap | RegionFlags.Caps, ProbeDevice.Sparse, RegionInfo.WireSize, 0x8000, 0));
        caps.Should().Equal((byte[])[
            .. RawClient.Bytes(new RegionCapHeader(RegionCapId.SparseMmap, 1, 0)),
            .. RawClient.Bytes(new SparseMmap(2, 0)),
            .. RawClient.Bytes(new SparseMmapArea(0x2000, 0x1000)),
            .. RawClient.Bytes(new SparseMmapArea(0x4000, 0x2000)),
        ]);
        fds!.Count.Should().Be(1);
    }

    [Fact]
    public void A_region_that_is_shared_as_a_whole_needs_no_capability()
    {
        RawReply reply = _client.Ask(Command.DeviceGetRegionInfo, About(ProbeDevice.Shared));
        using FdList? fds = reply.Fds;

        reply.ShouldBeGranted<RegionInfo>()
            .Should().Be(new RegionInfo(32, ReadWrite | RegionFlags.Mmap, ProbeDevice.Shared, 0, 0x1000, 0));
        fds!.Count.Should().Be(1);
    }

    [Fact]
    public void A_client_that_accepts_no_descriptors_gets_no_mmap_flag()
    {
        _client.Dispose();
        using RawClient client = _served.Attach("""{"capabilities": {"max_msg_fds": 0}}""");

        RawReply reply = client.Ask(Command.DeviceGetRegionInfo, About(ProbeDevice.Sparse, 80));

        reply.ShouldBeGranted<RegionInfo>().Should().Be(new RegionInfo(32, ReadWrite, ProbeDevice.Sparse, 0, 0x8000, 0));
        reply.Fds.Should().BeNull();
    }

    [Fact]
    public void Descriptors_are_closed()
    {
        using EventFd eventFd = new();

        _client.Ask(Command.DeviceGetRegionInfo, About(0), eventFd.Handle).ShouldBeGranted<RegionInfo>();

        _client.ShouldBeServed();
    }
}
