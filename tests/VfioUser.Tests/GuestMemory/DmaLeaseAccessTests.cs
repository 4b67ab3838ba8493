using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaLeaseAccessTests
{
    private const ulong At = 0x1_0000_0000;

    [Theory]
    [ClassData(typeof(EachWay))]
    public void The_action_reads_the_guests_bytes_and_changes_them_if_it_declared_that(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory[] memories = [rig.Map(At, 0x1000), rig.Map(At + 0x1000, 0x1000)];
        memories[0].Slice(0xFFE, 2).Fill(1);
        memories[1].Slice(0, 2).Fill(2);
        rig.Dma.TryLease(new Iova(At + 0x800), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();
        byte[] seen = new byte[4];

        lease.TryAccess(0x7FE, 4, writable: false, seen, Take).Should().BeTrue();
        lease.TryAccess(0x7FE, 4, writable: true, (byte)9, static (memory, value) => memory.Fill(value)).Should().BeTrue();
        lease.TryAccess(0x900, 4, writable: true, (byte)5, static (memory, value) => memory.Fill(value)).Should().BeTrue();
        lease.Dispose();

        seen.Should().Equal(1, 1, 2, 2);
        memories[0].Slice(0xFFD, 3).ToArray().Should().Equal(0, 9, 9);
        memories[1].Slice(0, 3).ToArray().Should().Equal(9, 9, 0);
        memories[1].Slice(0x100, 4).ToArray().Should().Equal(5, 5, 5, 5);

        static void Take(scoped Span<byte> memory, byte[] into) => memory.CopyTo(into);
    }

    [Fact]
    public void Mapped_memory_is_worked_on_in_place_without_allocating()
    {
        using DmaRig rig = new();
        SharedMemory memory = rig.Map(At, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: true, out DmaLease lease).Should().BeTrue();
        DmaAction<SharedMemory> change = ChangeBehindItsBack;
        DmaAction<SharedMemory> nothing = static (_, _) => { };
        lease.TryAccess(0, 8, writable: true, memory, change).Should().BeTrue();

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            lease.TryAccess(8, 8, writable: true, memory, nothing);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        lease.Dispose();

        static void ChangeBehindItsBack(scoped Span<byte> here, SharedMemory there)
        {
            there.Slice(0, 1)[0] = 0x77;
            here[0].Should().Be(0x77, "it is the same memory");
        }
    }

    [Fact]
    public void Writes_in_place_are_reported_as_dirty()
    {
        using DmaRig rig = new(device: new BlankDevice(device => device.EnableMigration()));
        rig.Map(At, 0x4000);
        rig.Client.StartDirtyPages(0x1000);
        rig.Dma.TryLease(new Iova(At), 0x4000, writable: true, out DmaLease lease).Should().BeTrue();

        lease.TryAccess(0x1FFF, 2, writable: true, 0, static (memory, _) => memory.Fill(1)).Should().BeTrue();
        lease.TryAccess(0, 2, writable: false, 0, static (_, _) => { }).Should().BeTrue();

        rig.Client.GetDirtyPages(At, 0x4000, 0x1000)[0].Should().Be(0b0110);
        lease.Dispose();
    }

    [Fact]
    public void Access_that_the_lease_does_not_permit_throws()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x800, writable: false, out DmaLease lease).Should().BeTrue();

        lease.Invoking(it => it.TryAccess(0x7FF, 2, writable: false, 0, (_, _) => { })).Should().Throw<ArgumentOutOfRangeException>();
        lease.Invoking(it => it.TryAccess(0, -1, writable: false, 0, (_, _) => { })).Should().Throw<ArgumentOutOfRangeException>();
        lease.Invoking(it => it.TryAccess(0, 1, writable: true, 0, (_, _) => { })).Should().Throw<InvalidOperationException>();
        lease.Invoking(it => it.TryAccess(0, 1, writable: false, 0, null!)).Should().Throw<ArgumentNullException>();
        lease.Dispose();
        lease.Invoking(it => it.TryAccess(0, 1, writable: false, 0, (_, _) => { })).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void An_action_that_throws_lets_go()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Dma.TryLease(new Iova(At), 0x1000, writable: false, out DmaLease lease).Should().BeTrue();

        lease.Invoking(it => it.TryAccess(0, 1, writable: false, 0, (_, _) => throw new FormatException())).Should().Throw<FormatException>();
        lease.Dispose();

        rig.Client.UnmapDma(At, 0x1000);
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped, DmaBacking.Mapped)]
    [InlineData(GuestMemoryKind.FileIo, DmaBacking.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket, DmaBacking.Message)]
    public void A_region_is_found_by_address_with_its_kind_of_access(GuestMemoryKind memory, DmaBacking way)
    {
        using DmaRig rig = new(memory);
        rig.Map(At, 0x1000);
        rig.Map(At + 0x2000, 0x1000, DmaMapFlags.Readable);

        rig.Dma.Find(new Iova(At + 0xFFF)).Should().Be(new DmaRegion(new Iova(At), 0x1000, isReadable: true, isWritable: true, way));
        rig.Dma.Find(new Iova(At + 0x2000))!.IsWritable.Should().BeFalse();
        rig.Dma.Find(new Iova(At + 0x1000)).Should().BeNull();
        rig.Dma.Find(new Iova(At - 1)).Should().BeNull();
    }
}
