using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Scenarios: test_dma_unmap.py. Spec: VFIO_USER_DMA_UNMAP.</summary>
public sealed class DmaUnmapTests : IDisposable
{
    private readonly Served _served = Served.Start();
    private readonly RawClient _client;

    public DmaUnmapTests()
    {
        _client = _served.Attach();
        foreach (ulong address in (ulong[])[0, 0x1000, 0x8000])
            _client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, address, 0x1000)).ShouldBeGranted();
    }

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }

    private static DmaUnmap Unmap(ulong address, ulong size, uint flags = 0, uint argsz = DmaUnmap.WireSize) =>
        new(argsz, (DmaUnmapFlags)flags, address, size);

    private RawReply Ask(DmaUnmap unmap) => _client.Ask(Command.DmaUnmap, unmap);

    private void ShouldStillHaveAll() =>
        _served.Device.Dma.Regions.Select(region => region.Address.Value).Should().Equal(0, 0x1000, 0x8000);

    [Fact]
    public void A_region_is_unmapped_and_can_be_mapped_again()
    {
        DmaUnmap unmap = Unmap(0x1000, 0x1000);

        Ask(unmap).ShouldBeGranted<DmaUnmap>().Should().Be(unmap);
        _served.Device.ShouldTell("unmapping 0x1000");
        _served.Device.Dma.Regions.Select(region => region.Address.Value).Should().Equal(0, 0x8000);
        Ask(unmap).ShouldBeRefused(Errno.ENOENT);

        _client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
    }

    [Theory]
    [InlineData(0x10000ul, 0x1000ul)] // never mapped
    [InlineData(ulong.MaxValue, 1ul)]
    [InlineData(0x1000ul, 0x800ul)] // a part of a region
    [InlineData(0x1800ul, 0x800ul)]
    [InlineData(0ul, 0x2000ul)] // two regions
    [InlineData(0x1000ul, 0x1001ul)]
    [InlineData(0x1000ul, 0ul)]
    [InlineData(0ul, 0ul)]
    [InlineData(0x1000ul, ulong.MaxValue)] // the sum wraps around
    public void What_was_not_mapped_as_such_is_refused_with_ENOENT(ulong address, ulong size)
    {
        Ask(Unmap(address, size)).ShouldBeRefused(Errno.ENOENT);

        _client.ShouldBeServed();
        ShouldStillHaveAll();
    }

    [Theory]
    [InlineData(0x4u)]
    [InlineData(0x8000_0000u)]
    [InlineData((uint)DmaUnmapFlags.GetDirtyBitmap)] // nobody tracks
    [InlineData((uint)(DmaUnmapFlags.All | DmaUnmapFlags.GetDirtyBitmap))]
    [InlineData((uint)DmaUnmapFlags.All)] // with an address
    public void Flags_that_do_not_fit_are_refused(uint flags)
    {
        Ask(Unmap(0x1000, 0x1000, flags)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        ShouldStillHaveAll();
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(8u)]
    [InlineData(23u)]
    [InlineData(ProtocolLimits.MaxDataTransferSize + 8u)]
    [InlineData(uint.MaxValue)]
    public void An_argsz_that_does_not_fit_is_refused(uint argsz)
    {
        Ask(Unmap(0x1000, 0x1000, argsz: argsz)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        ShouldStillHaveAll();
    }

    [Fact]
    public void A_dirty_bitmap_of_any_size_is_refused()
    {
        DmaUnmap unmap = Unmap(0x1000, 0x1000, (uint)DmaUnmapFlags.GetDirtyBitmap, argsz: 48);

        _client.Ask(Command.DmaUnmap, RawClient.Bytes(unmap, RawClient.Bytes(new DirtyBitmap(0x1000, ulong.MaxValue - 40)))).ShouldBeRefused(Errno.EINVAL);
        _client.Ask(Command.DmaUnmap, RawClient.Bytes(unmap, RawClient.Bytes(new DirtyBitmap(0x1000, 8), new byte[8]))).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        ShouldStillHaveAll();
    }

    [Theory]
    [InlineData(8)]
    [InlineData(23)]
    public void A_payload_that_is_too_short_is_refused(int length)
    {
        _client.Ask(Command.DmaUnmap, RawClient.Bytes(Unmap(0x1000, 0x1000)).AsSpan(0, length)).ShouldBeRefused(Errno.EINVAL);

        ShouldStillHaveAll();
    }

    [Fact]
    public void Descriptors_are_closed_as_spdks_host_sends_one_with_each()
    {
        using EventFd eventFd = new();

        _client.Ask(Command.DmaUnmap, Unmap(0x1000, 0x1000), eventFd.Handle).ShouldBeGranted<DmaUnmap>();
        _client.Ask(Command.DmaMap, new DmaMap(32, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
        _client.Ask(Command.DmaUnmap, Unmap(0x1000, 0x1000), eventFd.Handle, eventFd.Handle).ShouldBeGranted<DmaUnmap>();
    }

    [Fact]
    public void All_regions_are_unmapped_at_once()
    {
        DmaUnmap unmap = Unmap(0, 0, (uint)DmaUnmapFlags.All);

        Ask(unmap).ShouldBeGranted<DmaUnmap>().Should().Be(unmap);
        _served.Device.Dma.Regions.Should().BeEmpty();
        _served.Device.ShouldTell("unmapping 0x8000");
        Ask(unmap).ShouldBeGranted<DmaUnmap>(); // nothing is left, and that is what was wanted
    }

    [Fact]
    public void The_answer_waits_for_the_last_lease()
    {
        _served.Device.Dma.TryLease(new Iova(0x1000), 0x1000, writable: false, out DmaLease? lease).Should().BeTrue();

        ushort id = _client.Say(Command.DmaUnmap, Unmap(0x1000, 0x1000));
        _served.Device.ShouldTell("unmapping 0x1000");
        _served.Device.Dma.TryLease(new Iova(0x1000), 0x1000, writable: false, out _).Should().BeFalse();
        lease!.Dispose();

        _client.HearReply(id, Command.DmaUnmap).ShouldBeGranted<DmaUnmap>();
    }
}
