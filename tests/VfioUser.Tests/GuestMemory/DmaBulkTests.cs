using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaBulkTests
{
    private const ulong At = 0x1_0000_0000;

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Memory_is_filled_across_regions_and_pieces(GuestMemoryKind kind)
    {
        using DmaRig rig = new(kind);
        SharedMemory low = rig.Map(At, 0x18000), high = rig.Map(At + 0x18000, 0x18000);

        rig.Dma.Fill(new Iova(At + 1), 0x2FFFE, 0xA5).Should().Be(DmaStatus.Done);
        rig.Dma.Fill(new Iova(0xDEAD), 0, 1).Should().Be(DmaStatus.Done);

        low.Slice(0, 1)[0].Should().Be(0);
        low.Slice(1, 0x17FFF).ToArray().Should().AllBeEquivalentTo((byte)0xA5);
        high.Slice(0, 0x17FFF).ToArray().Should().AllBeEquivalentTo((byte)0xA5);
        high.Slice(0x17FFF, 1)[0].Should().Be(0);
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped, 0, 0x20001)]
    [InlineData(GuestMemoryKind.Mapped, 0, 1)] // overlapping, upwards
    [InlineData(GuestMemoryKind.Mapped, 1, 0)] // overlapping, downwards
    [InlineData(GuestMemoryKind.FileIo, 0, 0x11)]
    [InlineData(GuestMemoryKind.SingleSocket, 0x11, 0)]
    public void Memory_is_copied_within_the_guest_even_onto_itself(GuestMemoryKind kind, int from, int to)
    {
        const int Length = 0x18003;
        using DmaRig rig = new(kind);
        SharedMemory memory = rig.Map(At, 0x40000);
        byte[] data = [.. Enumerable.Range(0, Length).Select(i => (byte)(i * 7 >> 3))];
        data.CopyTo(memory.Slice((ulong)from, Length));

        rig.Dma.Copy(new Iova(At + (ulong)from), new Iova(At + (ulong)to), Length).Should().Be(DmaStatus.Done);

        memory.Slice((ulong)to, Length).SequenceEqual(data).Should().BeTrue();
    }

    [Theory]
    [InlineData(At, ulong.MaxValue, DmaStatus.AddressOverflow, At)]
    [InlineData(ulong.MaxValue, 2, DmaStatus.AddressOverflow, ulong.MaxValue)]
    [InlineData(At + 0xFFF, 2, DmaStatus.NotMapped, At + 0x1000)]
    [InlineData(At - 1, 2, DmaStatus.NotMapped, At - 1)]
    [InlineData(At, 0x8000_0000_0000_0000, DmaStatus.NotMapped, At + 0x1000)]
    public void Lengths_that_overflow_or_leave_the_memory_fail(ulong address, ulong length, DmaStatus status, ulong where)
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);

        DmaResult expected = new(status, new Iova(where));
        rig.Dma.Fill(new Iova(address), length, 1).Should().Be(expected);
        rig.Dma.Copy(new Iova(address), new Iova(At), length).Should().Be(expected);
        rig.Dma.Copy(new Iova(At), new Iova(address), length).IsBadAddress.Should().BeTrue();
        rig.Dma.MarkDirty(new Iova(address), length);

        rig.Client.UnmapAllDma();
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped, 0b1110_1010ul)]
    [InlineData(GuestMemoryKind.FileIo, 0b1100_1000ul)] // atomics are refused there
    [InlineData(GuestMemoryKind.TwinSocket, 0ul)] // the client did those writes itself
    public void Changed_and_marked_memory_is_dirty(GuestMemoryKind kind, ulong expected)
    {
        const ulong Page = 4096;
        BlankDevice device = new(blank => blank.EnableMigration());
        using TestGuest guest = TestGuest.Attach(device, kind);
        Iova ram = guest.Memory.Address;
        guest.Client.StartDirtyPages(Page);

        device.Dma.CompareExchange(ram, 1u, comparand: 7u, out uint _);
        device.Dma.CompareExchange(ram + Page, 1u, comparand: 0u, out uint _);
        device.Dma.Copy(ram + 2 * Page, ram + 3 * Page, 8);
        device.Dma.FetchOr(ram + 5 * Page, 1u, out uint _);
        device.Dma.MarkDirty(ram + (7 * Page - 1), 2);

        guest.Client.GetDirtyPages(ram.Value, 64 * Page, Page)[0].Should().Be(expected);
    }
}
