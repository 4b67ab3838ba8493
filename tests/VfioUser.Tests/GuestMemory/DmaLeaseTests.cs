using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaLeaseTests
{
    private const ulong At = 0x1_0000_0000;

    [Theory]
    [ClassData(typeof(EachWay))]
    public void A_lease_reads_and_writes_across_regions(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory[] memories = [rig.Map(At, 0x1000), rig.Map(At + 0x1000, 0x1000), rig.Map(At + 0x2000, 0x1000)];
        byte[] data = [.. Enumerable.Range(0, 0x1802).Select(i => (byte)(i * 3))];

        rig.Dma.TryLease(new Iova(At + 0x800), 0x2800, writable: true, out DmaLease lease).Should().BeTrue();
        using (lease)
        {
            lease.Address.Should().Be(new Iova(At + 0x800));
            lease.Length.Should().Be(0x2800);
            lease.TryWrite(0x7FF, data).Should().BeTrue();
            byte[] back = new byte[data.Length];
            lease.TryRead(0x7FF, back).Should().BeTrue();
            back.Should().Equal(data);
        }

        memories[0].Slice(0xFFF, 1)[0].Should().Be(data[0]);
        memories[1].Slice(0, 0x1000).ToArray().Should().Equal(data[1..0x1001]);
        memories[2].Slice(0, 0x801).ToArray().Should().Equal(data[0x1001..]);
    }

    [Theory]
    [InlineData(0, 0x1001)]
    [InlineData(0x1000, 1)]
    [InlineData(0x1001, 0)]
    [InlineData(ulong.MaxValue, 1)]
    [InlineData(ulong.MaxValue, 0)]
    public void Access_outside_the_lease_throws(ulong offset, int length)
    {
        using DmaRig rig = new();
        rig.Map(At, 0x4000);
        rig.Dma.TryLease(new Iova(At + 0x1000), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();

        lease.Invoking(held => held.TryRead(offset, new byte[length])).Should().Throw<ArgumentOutOfRangeException>();
        lease.Invoking(held => held.TryWrite(offset, new byte[length])).Should().Throw<ArgumentOutOfRangeException>();

        lease.TryRead(0x1000, []).Should().BeTrue("nothing fits behind the last byte");
        lease.Dispose();
    }

    [Fact]
    public void A_lease_for_reading_is_not_written()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000, DmaMapFlags.Readable);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: false, out DmaLease lease).Should().BeTrue();

        lease.Invoking(held => held.TryWrite(0, new byte[1])).Should().Throw<InvalidOperationException>();

        lease.Dispose();
    }

    [Fact]
    public void A_disposed_lease_cannot_be_used()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();

        lease.Dispose();
        lease.Dispose();

        lease.Invoking(held => held.TryRead(0, new byte[1])).Should().Throw<ObjectDisposedException>();
        lease.Invoking(held => held.TryWrite(0, new byte[1])).Should().Throw<ObjectDisposedException>();
        rig.Client.UnmapDma(At, 0x1000);
    }

    [Fact]
    public void A_lease_that_is_refused_holds_nothing()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);

        rig.Dma.TryLease(new Iova(At), 0x2001, writable: false, out DmaLease lease).Should().BeFalse();
        rig.Dma.TryLease(new Iova(At), ulong.MaxValue, writable: false, out _).Should().BeFalse();

        lease.Should().Be(default(DmaLease));
        rig.Client.UnmapAllDma();
    }

    [Fact]
    public void An_empty_lease_holds_nothing_and_reads_nothing()
    {
        using DmaRig rig = new();

        rig.Dma.TryLease(new Iova(0xDEAD), 0, writable: true, out DmaLease lease).Should().BeTrue();

        lease.TryRead(0, []).Should().BeTrue();
        lease.TryWrite(0, []).Should().BeTrue();
        lease.Dispose();
    }

    [Fact]
    public async Task A_lease_disposed_during_an_access_of_another_thread_ends_after_that()
    {
        using DmaRig rig = new(GuestMemoryKind.TwinSocket);
        rig.Map(At, 0x1000).Slice(0, 4).Fill(0x31);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: false, out DmaLease lease).Should().BeTrue();
        using ManualResetEventSlim asked = new();
        using ManualResetEventSlim answer = new();
        rig.WhenAsked = () =>
        {
            asked.Set();
            answer.Wait(Background.Timeout);
        };
        byte[] destination = new byte[4];

        Task<bool> read = Background.Run<bool>(() => lease.TryRead(0, destination));
        asked.MustComeSoon("the client is asked for the memory");
        lease.Dispose();
        Task unmap = Background.Run(() => rig.Client.UnmapDma(At, 0x1000));
        Background.MustBecomeTrue(() => rig.Dma.Regions.Count == 0, "the unmap begins");
        unmap.IsCompleted.Should().BeFalse("the read still runs");
        answer.Set();

        (await read.WaitAsync(Background.Timeout)).Should().BeTrue();
        await unmap.WaitAsync(Background.Timeout);
        destination.Should().Equal(0x31, 0x31, 0x31, 0x31);
    }
}
