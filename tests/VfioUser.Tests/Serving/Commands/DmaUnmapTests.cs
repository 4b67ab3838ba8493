using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests.Serving;

/// <summary>Scenarios: test_dma_unmap.py. Spec: VFIO_USER_DMA_UNMAP.</summary>
public sealed class DmaUnmapTests : IDisposable
{
    private readonly Served _served = Served.Start();
    private readonly RawClient _client;

    private static ulong[] Mapped => [0, 0x1000, 0x8000];

    public DmaUnmapTests()
    {
        _client = _served.Attach();
        foreach (ulong address in Mapped)
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
        Ask(unmap).ShouldBeGranted<DmaUnmap>().Should().Be(unmap, "nothing is there, and that is what was wanted");

        _client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
    }

    [Theory]
    [InlineData(0x1000ul, 0x1000ul, new ulong[] { 0x1000 })]
    [InlineData(0ul, 0x2000ul, new ulong[] { 0, 0x1000 })] // neighbours
    [InlineData(0x1000ul, 0x8000ul, new ulong[] { 0x1000, 0x8000 })] // with a hole between them
    [InlineData(0ul, 0x10000ul, new ulong[] { 0, 0x1000, 0x8000 })]
    [InlineData(0x7001ul, 0xFFFF_FFFF_FFFF_8FFFul, new ulong[] { 0x8000 })] // to the last address
    [InlineData(0ul, ulong.MaxValue, new ulong[] { 0, 0x1000, 0x8000 })]
    [InlineData(0x10000ul, 0x1000ul, new ulong[0])] // never mapped
    [InlineData(0x2000ul, 0x6000ul, new ulong[0])] // the hole
    [InlineData(0xFFFF_FFFF_FFFF_F000ul, 0x1000ul, new ulong[0])]
    [InlineData(ulong.MaxValue, 1ul, new ulong[0])]
    public void All_regions_in_a_range_are_unmapped_however_many(ulong address, ulong size, ulong[] unmapped)
    {
        DmaUnmap unmap = Unmap(address, size);

        Ask(unmap).ShouldBeGranted<DmaUnmap>().Should().Be(unmap, "the reply repeats the request");

        ulong[] left = [.. Mapped.Except(unmapped)];
        _served.Device.Dma.Regions.Select(region => region.Address.Value).Should().Equal(left);
        _served.Device.Diary.Where(line => line.StartsWith("unmapping", StringComparison.Ordinal))
            .Should().Equal(unmapped.Select(start => $"unmapping {new Iova(start)}"), "the device hears of each once");
        foreach (ulong start in Mapped)
        {
            RawReply again = _client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, start, 0x1000));
            again.Header.Error.Should().Be(left.Contains(start) ? (uint)Errno.EEXIST : 0u, "nothing stale is left at 0x{0:x}", start);
        }
    }

    [Theory]
    [InlineData(0x1000ul, 0x800ul)] // the beginning of a region
    [InlineData(0x1800ul, 0x800ul)] // its end
    [InlineData(0x1400ul, 0x400ul)] // its middle
    [InlineData(0x0800ul, 0x1800ul)] // the end of one and all of the next
    [InlineData(0x1000ul, 0x7001ul)] // all of one and the first byte of another
    [InlineData(0x0FFFul, 2ul)]
    [InlineData(0x8FFFul, 0xFFFF_FFFF_FFFF_7001ul)]
    [InlineData(0x1000ul, 0ul)] // of no bytes
    [InlineData(0ul, 0ul)]
    [InlineData(0x10000ul, 0ul)]
    [InlineData(0x1000ul, ulong.MaxValue)] // the sum wraps around
    [InlineData(0x1000ul, 0xFFFF_FFFF_FFFF_F001ul)]
    [InlineData(ulong.MaxValue, 2ul)]
    public void A_range_that_cuts_a_region_or_is_none_is_refused_and_nothing_is_unmapped(ulong address, ulong size)
    {
        Ask(Unmap(address, size)).ShouldBeRefused(Errno.EINVAL);

        _client.ShouldBeServed();
        ShouldStillHaveAll();
        _served.Device.Diary.Should().NotContain(line => line.StartsWith("unmapping", StringComparison.Ordinal));
    }

    [Fact]
    public void Fifty_thousand_regions_go_with_one_message()
    {
        const int Count = 50_000;
        const int Batch = 500;
        const ulong Start = 0x1000_0000;
        for (int from = 0; from < Count; from += Batch)
        {
            _client.SayBytes([.. Enumerable.Range(from, Batch).SelectMany(i => RawClient.Message((ushort)i, Command.DmaMap,
                new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, Start + (ulong)i * 0x2000, 0x1000)))]);
            for (int i = from; i < from + Batch; i++)
                _client.HearReply((ushort)i, Command.DmaMap).ShouldBeGranted();
        }

        Ask(Unmap(Start, Count * 0x2000ul)).ShouldBeGranted<DmaUnmap>();

        ShouldStillHaveAll();
    }

    [Fact]
    public void The_answer_waits_for_the_leases_of_all_regions_in_the_range()
    {
        Dma dma = _served.Device.Dma;
        dma.TryLease(new Iova(0), 0x2000, writable: false, out DmaLease two).Should().BeTrue();
        dma.TryLease(new Iova(0x8000), 1, writable: false, out DmaLease third).Should().BeTrue();

        ushort id = _client.Say(Command.DmaUnmap, Unmap(0, 0x9000));
        _served.Device.ShouldTell("unmapping 0x8000");
        dma.TryRead(new Iova(0x1000), out byte _).Should().BeFalse();
        two.Dispose();
        _client.Socket.Should().Match<System.Net.Sockets.SafeSocketHandle>(socket => !PollCalls.WaitReadable(socket, 0), "one lease is left");
        third.Dispose();

        _client.HearReply(id, Command.DmaUnmap).ShouldBeGranted<DmaUnmap>();
        dma.Regions.Should().BeEmpty();
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
        _served.Device.Dma.TryLease(new Iova(0x1000), 0x1000, writable: false, out DmaLease lease).Should().BeTrue();

        ushort id = _client.Say(Command.DmaUnmap, Unmap(0x1000, 0x1000));
        _served.Device.ShouldTell("unmapping 0x1000");
        _served.Device.Dma.TryLease(new Iova(0x1000), 0x1000, writable: false, out _).Should().BeFalse();
        lease.Dispose();

        _client.HearReply(id, Command.DmaUnmap).ShouldBeGranted<DmaUnmap>();
    }
}
