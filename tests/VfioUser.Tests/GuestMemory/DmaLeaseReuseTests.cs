using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>Leases of one region use the same objects one after the other, and none can tell.</summary>
public class DmaLeaseReuseTests
{
    private const ulong At = 0x1_0000_0000;

    [Fact]
    public void A_copy_of_a_lease_that_has_ended_is_not_the_lease_that_was_taken_after_it()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        DmaLease old = Lease(rig, At, 0x800);
        DmaLease copy = old;
        old.Dispose();

        DmaLease next = Lease(rig, At + 0x800, 0x10);

        copy.Invoking(it => it.TryRead(0, new byte[1])).Should().Throw<ObjectDisposedException>();
        copy.Invoking(it => it.TryWrite(0, [1])).Should().Throw<ObjectDisposedException>();
        copy.Invoking(it => it.TryAccess(0, 1, writable: false, 0, static (_, _) => { })).Should().Throw<ObjectDisposedException>();
        copy.Invoking(it => it.Address).Should().Throw<ObjectDisposedException>();
        copy.Invoking(it => it.Length).Should().Throw<ObjectDisposedException>();
        copy.Should().NotBe(next);
        copy.ToString().Should().Be("a lease that has ended");
        next.ToString().Should().Be("a lease of 16 bytes at 0x100000800");
        next.Dispose();
    }

    [Fact]
    public async Task A_copy_that_is_disposed_again_does_not_end_the_next_lease()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        DmaLease old = Lease(rig, At, 0x800);
        old.Dispose();
        DmaLease next = Lease(rig, At, 0x1000);

        old.Dispose();

        next.TryWrite(0xFFF, [1]).Should().BeTrue();
        Task unmap = Background.Run(() => rig.Client.UnmapDma(At, 0x1000));
        Background.MustBecomeTrue(() => rig.Dma.Regions.Count == 0, "the unmap begins");
        old.Dispose();
        unmap.IsCompleted.Should().BeFalse("the lease still holds the memory");
        next.TryWrite(0, [1]).Should().BeTrue();
        next.Dispose();
        await unmap.WaitAsync(Background.Timeout);
    }

    [Fact]
    public void A_lease_that_was_never_taken_is_one_that_has_ended()
    {
        DmaLease none = default;

        none.Dispose();
        none.Invoking(it => it.TryRead(0, [])).Should().Throw<ObjectDisposedException>();
        none.Invoking(it => it.Length).Should().Throw<ObjectDisposedException>();
        none.ToString().Should().Be("no lease");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(200)]
    public async Task Many_leases_of_one_region_are_each_their_own_and_an_unmap_waits_for_the_last(int count)
    {
        using DmaRig rig = new();
        SharedMemory memory = rig.Map(At, 0x1000);
        DmaLease[] leases = [.. Enumerable.Range(0, count).Select(i => Lease(rig, At + (ulong)(8 * i), 8))];
        leases.Distinct().Should().HaveCount(count);

        Task unmap = Background.Run(() => rig.Client.UnmapDma(At, 0x1000));
        Background.MustBecomeTrue(() => rig.Dma.Regions.Count == 0, "the unmap begins");
        for (int i = 0; i < count; i++)
        {
            DmaLease lease = leases[i];
            lease.Address.Should().Be(new Iova(At + (ulong)(8 * i)));
            lease.TryWrite(0, [(byte)(i + 1)]).Should().BeTrue();
        }
        foreach (DmaLease lease in leases.Reverse())
        {
            unmap.IsCompleted.Should().BeFalse("leases still hold the memory");
            lease.Dispose();
        }

        await unmap.WaitAsync(Background.Timeout);
        Enumerable.Range(0, count).Select(i => memory.Slice((ulong)(8 * i), 1)[0]).Should().Equal(Enumerable.Range(0, count).Select(i => (byte)(i + 1)));
        rig.Dma.TryLease(new Iova(At), 1, writable: false, out _).Should().Be(DmaStatus.NotMapped);
    }

    [Fact]
    public void Leases_that_have_ended_keep_no_unmap_waiting_and_the_next_region_there_has_its_own()
    {
        using DmaRig rig = new();
        for (int i = 0; i < 3; i++)
        {
            rig.Map(At, 0x1000);
            DmaLease[] leases = [.. Enumerable.Range(0, 70).Select(_ => Lease(rig, At, 0x1000))];
            foreach (DmaLease lease in leases)
                lease.Dispose();

            rig.Client.UnmapDma(At, 0x1000);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(32)]
    [InlineData(64)]
    public void Leases_allocate_nothing(int atOnce)
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        DmaLease[] leases = new DmaLease[atOnce];
        void LeaseAll()
        {
            for (int i = 0; i < atOnce; i++)
            {
                if (!rig.Dma.TryLease(new Iova(At), 0x1000, writable: true, out leases[i]))
                    throw new InvalidOperationException("The memory cannot be leased.");
            }
            foreach (DmaLease lease in leases)
                lease.Dispose();
        }
        LeaseAll();
        long before = GC.GetAllocatedBytesForCurrentThread();

        for (int i = 0; i < 100; i++)
            LeaseAll();

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    public void Leases_over_several_regions_allocate_nothing(int atOnce)
    {
        using DmaRig rig = new();
        for (ulong i = 0; i < 8; i++)
            rig.Map(At + (i * 0x1000), 0x1000);
        DmaLease[] leases = new DmaLease[atOnce];
        void LeaseAll()
        {
            for (int i = 0; i < atOnce; i++)
            {
                if (!rig.Dma.TryLease(new Iova(At + 0x10), 0x7000, writable: true, out leases[i]))
                    throw new InvalidOperationException("The memory cannot be leased.");
            }
            foreach (DmaLease lease in leases)
                lease.Dispose();
        }
        LeaseAll();
        long before = GC.GetAllocatedBytesForCurrentThread();

        for (int i = 0; i < 100; i++)
            LeaseAll();

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    [Fact]
    public void A_lease_over_several_regions_that_ended_is_not_the_next_one()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x2000, writable: true, out DmaLease ended);
        ended.Dispose();

        rig.Dma.TryLease(new Iova(At + 0xFF0), 0x20, writable: true, out DmaLease next);

        ended.Invoking(lease => lease.TryRead(0, new byte[1])).Should().Throw<ObjectDisposedException>();
        ended.Dispose();
        next.TryWrite(0, new byte[0x20]).IsDone.Should().BeTrue();
        next.Dispose();
    }

    [Fact]
    public void A_lease_over_several_regions_that_fails_holds_none_of_them()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);

        rig.Dma.TryLease(new Iova(At), 0x2001, writable: true, out _).Status.Should().Be(DmaStatus.NotMapped);

        rig.Client.UnmapDma(At, 0x1000); // is answered
        rig.Dma.Regions.Should().ContainSingle();
    }

    [Theory]
    [InlineData(At, ulong.MaxValue, DmaStatus.AddressOverflow, At)]
    [InlineData(ulong.MaxValue, 2, DmaStatus.AddressOverflow, ulong.MaxValue)]
    [InlineData(At, 0x1001, DmaStatus.NotMapped, At + 0x1000)]
    [InlineData(At, ulong.MaxValue - At + 1, DmaStatus.NotMapped, At + 0x1000)]
    [InlineData(At - 1, 2, DmaStatus.NotMapped, At - 1)]
    public void Lengths_that_overflow_or_leave_the_memory_are_refused(ulong address, ulong length, DmaStatus status, ulong where)
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);

        rig.Dma.TryLease(new Iova(address), length, writable: false, out DmaLease lease).Should().Be(new DmaResult(status, new Iova(where)));

        lease.Should().Be(default(DmaLease));
        rig.Client.UnmapAllDma();
    }

    private static DmaLease Lease(DmaRig rig, ulong address, ulong length)
    {
        rig.Dma.TryLease(new Iova(address), length, writable: true, out DmaLease lease).Should().BeTrue();
        return lease;
    }
}
