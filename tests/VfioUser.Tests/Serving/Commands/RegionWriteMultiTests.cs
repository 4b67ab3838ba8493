using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Spec: VFIO_USER_REGION_WRITE_MULTI.</summary>
public sealed class RegionWriteMultiTests : IDisposable
{
    private readonly Served _served = Served.Start();
    private readonly RawClient _client;

    public RegionWriteMultiTests() => _client = _served.Attach();

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }

    private static byte[] Writes(ulong count, params RegionWriteMultiEntry[] entries) =>
        RawClient.Bytes(new RegionWriteMulti(count), [.. entries.SelectMany(entry => RawClient.Bytes(entry))]);

    [Fact]
    public void All_writes_are_done_in_order()
    {
        _client.Ask(Command.RegionWriteMulti, Writes(4,
            new(0x10, ProbeDevice.Plain, 8, 0x1122334455667788), new(0x20, ProbeDevice.Plain, 4, 0xFFFFFFFF_AABBCCDD),
            new(0x10, ProbeDevice.Plain, 1, 0x99), new(0x30, ProbeDevice.Plain, 0, 0x55)))
            .ShouldBeGranted<RegionWriteMulti>().WriteCount.Should().Be(4);

        _served.Device.Memory.AsSpan(0x10, 8).ToArray().Should().Equal(0x99, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11);
        _served.Device.Memory.AsSpan(0x20, 8).ToArray().Should().Equal(0xDD, 0xCC, 0xBB, 0xAA, 0, 0, 0, 0);
        _served.Device.Memory[0x30].Should().Be(0);
    }

    [Fact]
    public void Nothing_can_be_written() =>
        _client.Ask(Command.RegionWriteMulti, Writes(0)).ShouldBeGranted<RegionWriteMulti>().WriteCount.Should().Be(0);

    [Theory]
    [InlineData(0ul)]
    [InlineData(2ul)]
    [InlineData(ulong.MaxValue)]
    [InlineData(0x0AAA_AAAA_AAAA_AAABul)] // times 24 wraps around to 8
    public void A_count_that_is_not_that_of_the_entries_is_refused(ulong count)
    {
        _client.Ask(Command.RegionWriteMulti, Writes(count, new RegionWriteMultiEntry(0, 0, 4, 1))).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _served.Device.Memory[0].Should().Be(0);
    }

    [Theory]
    [InlineData(0ul, 0u, 9u)] // more than the eight bytes that there are
    [InlineData(0ul, 0u, uint.MaxValue)]
    [InlineData(0xFFFul, 0u, 2u)] // out of bounds
    [InlineData(ulong.MaxValue, 0u, 2u)]
    [InlineData(0ul, ProbeDevice.Absent, 4u)]
    [InlineData(0ul, ProbeDevice.Rom, 4u)]
    [InlineData(0ul, 9u, 4u)]
    [InlineData(0ul, uint.MaxValue, 4u)]
    public void A_bad_entry_is_refused(ulong offset, uint region, uint count)
    {
        _client.Ask(Command.RegionWriteMulti, Writes(1, new RegionWriteMultiEntry(offset, region, count, 1))).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
    }

    [Theory]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(31)]
    [InlineData(33)]
    public void A_payload_of_another_length_is_refused(int length)
    {
        byte[] payload = [.. Writes(1, new RegionWriteMultiEntry(0, 0, 4, 1)), 0];

        _client.Ask(Command.RegionWriteMulti, payload.AsSpan(0, length)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        _served.Device.Memory[0].Should().Be(0);
    }

    [Fact]
    public void Multi_write_is_refused_unless_negotiated()
    {
        _client.Dispose();
        using RawClient client = _served.Attach("{}");

        client.Ask(Command.RegionWriteMulti, Writes(1, new RegionWriteMultiEntry(0, 0, 4, 1))).ShouldBeRefused(Errno.EINVAL);

        client.ShouldBeServed();
        _served.Device.Memory[0].Should().Be(0);
    }
}
