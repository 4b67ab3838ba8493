using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Spec: VFIO_USER_REGION_READ, VFIO_USER_REGION_WRITE.</summary>
public sealed class RegionAccessTests : IDisposable
{
    private readonly Served _served = Served.Start();
    private readonly RawClient _client;

    public RegionAccessTests() => _client = _served.Attach();

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }

    public static TheoryData<ulong, uint, uint> OutOfBounds => new()
    {
        { 0, ProbeDevice.Plain, ProbeDevice.PlainSize + 1 },
        { ProbeDevice.PlainSize - 3, ProbeDevice.Plain, 4 },
        { ProbeDevice.PlainSize, ProbeDevice.Plain, 1 },
        { ProbeDevice.PlainSize + 1, ProbeDevice.Plain, 0 },
        { ulong.MaxValue, ProbeDevice.Plain, 1 },
        { ulong.MaxValue - 3, ProbeDevice.Plain, 4 },
        { ulong.MaxValue - 3, ProbeDevice.Plain, 8 }, // the sum wraps around to 4
        { 0x1_0000_0000, ProbeDevice.Plain, 4 },
        { 0xFD, ProbeDevice.ConfigIndex, 4 },
        { 0x100, ProbeDevice.ConfigIndex, 4 },
        { 0, ProbeDevice.Absent, 1 },
        { 0, ProbeDevice.Absent, 0 },
        { 0, 8, 4 }, // VGA, which it does not have
        { 0, 9, 4 },
        { 0, uint.MaxValue, 4 },
    };

    [Theory]
    [MemberData(nameof(OutOfBounds))]
    public void A_read_out_of_bounds_is_refused(ulong offset, uint region, uint count)
    {
        _client.Ask(Command.RegionRead, new RegionAccess(offset, region, count)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [MemberData(nameof(OutOfBounds))]
    public void A_write_out_of_bounds_is_refused(ulong offset, uint region, uint count)
    {
        _client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(offset, region, count), new byte[count])).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _served.Device.Memory.Should().OnlyContain(value => value == 0);
    }

    [Theory]
    [InlineData(ProtocolLimits.MaxDataTransferSize + 1u)]
    [InlineData(0x8000_0000u)]
    [InlineData(uint.MaxValue)]
    public void Access_beyond_the_limit_is_refused(uint count)
    {
        _client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, count)).ShouldBeRefused(Errno.EINVAL);
        _client.Ask(Command.RegionWrite, new RegionAccess(0, ProbeDevice.Plain, count)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Fact]
    public void Access_beyond_the_limit_is_refused_even_with_all_its_bytes()
    {
        const uint Count = ProtocolLimits.MaxDataTransferSize + 1;

        _client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, Count), new byte[Count])).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [InlineData(4u, 3)]
    [InlineData(4u, 5)]
    [InlineData(4u, 0)]
    [InlineData(0u, 1)]
    public void A_write_whose_count_is_not_that_of_its_bytes_is_refused(uint count, int bytes)
    {
        _client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, count), new byte[bytes])).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [InlineData(Command.RegionRead)]
    [InlineData(Command.RegionWrite)]
    public void A_payload_that_is_too_short_is_refused(Command command)
    {
        _client.Ask(command, RawClient.Bytes(new RegionAccess(0, 0, 0)).AsSpan(0, 15)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData((ulong)ProbeDevice.PlainSize)]
    public void Nothing_can_be_read_and_written(ulong offset)
    {
        RegionAccess nothing = new(offset, ProbeDevice.Plain, 0);

        _client.Ask(Command.RegionRead, nothing).ShouldBeGranted<RegionAccess>().Should().Be(nothing);
        _client.Ask(Command.RegionWrite, nothing).ShouldBeGranted<RegionAccess>().Should().Be(nothing);
    }

    [Fact]
    public void The_last_bytes_can_be_read_and_written()
    {
        RegionAccess last = new(ProbeDevice.PlainSize - 4, ProbeDevice.Plain, 4);

        _client.Ask(Command.RegionWrite, RawClient.Bytes(last, 1, 2, 3, 4)).ShouldBeGranted<RegionAccess>().Should().Be(last);
        _client.Ask(Command.RegionRead, last).ShouldBegin<RegionAccess>(out byte[] data).Should().Be(last);

        data.Should().Equal(1, 2, 3, 4);
    }

    [Fact]
    public void A_rom_is_read_and_not_written()
    {
        _client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Rom, 4)).ShouldBegin<RegionAccess>(out byte[] data);
        _client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Rom, 4), new byte[4])).ShouldBeRefused(Errno.EINVAL);

        data.Should().Equal([.. "ROM"u8, 0xFF]);
    }

    [Fact]
    public void Descriptors_are_closed()
    {
        using EventFd eventFd = new();

        _client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), 1, 2, 3, 4), eventFd.Handle).ShouldBeGranted<RegionAccess>();
        _client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4), eventFd.Handle).ShouldBegin<RegionAccess>(out byte[] data);

        data.Should().Equal(1, 2, 3, 4);
    }

    [Fact]
    public void No_byte_of_an_earlier_reply_shows_in_a_later_one()
    {
        _served.Device.Read = (_, destination) => destination.Fill(0x5A);
        _client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 0x1000));
        _served.Device.Read = (_, _) => { }; // fills in nothing

        _client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 0x1000)).ShouldBegin<RegionAccess>(out byte[] data);

        data.Should().OnlyContain(value => value == 0);
    }
}
