using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaBorderTests
{
    private const ulong At = 0x1_0000_0000;

    public static TheoryData<GuestMemoryKind, GuestMemoryKind> Pairs()
    {
        GuestMemoryKind[] ways = [GuestMemoryKind.Mapped, GuestMemoryKind.FileIo, GuestMemoryKind.TwinSocket];
        TheoryData<GuestMemoryKind, GuestMemoryKind> pairs = new() { { GuestMemoryKind.Mapped, GuestMemoryKind.SingleSocket } };
        foreach (GuestMemoryKind first in ways)
        {
            foreach (GuestMemoryKind second in ways)
                pairs.Add(first, second);
        }
        return pairs;
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void A_copy_crosses_from_one_region_into_the_next_whatever_their_ways(GuestMemoryKind first, GuestMemoryKind second)
    {
        using DmaRig rig = new(first == GuestMemoryKind.TwinSocket || second == GuestMemoryKind.TwinSocket ? GuestMemoryKind.TwinSocket : GuestMemoryKind.SingleSocket);
        SharedMemory low = rig.Map(At, 0x1000, way: first);
        SharedMemory high = rig.Map(At + 0x1000, 0x1000, way: second);
        byte[] data = [.. Enumerable.Range(0, 0x1800).Select(i => (byte)(i * 7))];

        rig.Dma.TryWrite(new Iova(At + 0x400), data).Should().BeTrue();
        byte[] back = new byte[data.Length];
        rig.Dma.TryRead(new Iova(At + 0x400), back).Should().BeTrue();
        rig.Dma.TryAccess(new Iova(At + 0x0FFF), 2, writable: true, 0, (memory, _) => memory.Reverse()).Should().BeTrue();

        back.Should().Equal(data);
        low.Slice(0x400, 0xBFF).ToArray().Should().Equal(data[..0xBFF]);
        high.Slice(1, 0xBFF).ToArray().Should().Equal(data[0xC01..]);
        low.Slice(0xFFF, 1)[0].Should().Be(data[0xC00], "the two bytes at the border were swapped");
        high.Slice(0, 1)[0].Should().Be(data[0xBFF]);
    }

    [Fact]
    public void A_hole_behind_the_border_fails_the_whole_read()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000).Slice(0, 0x1000).Fill(0xFF);
        rig.Map(At + 0x1001 + 0xFFF, 0x1000);
        byte[] destination = new byte[0x1001];

        rig.Dma.TryRead(new Iova(At), destination).Should().BeFalse();

        destination.Should().OnlyContain(value => value == 0);
    }

    [Fact]
    public void A_write_only_neighbour_fails_the_whole_read_and_a_read_only_one_the_write()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000, DmaMapFlags.Writeable);
        rig.Map(At + 0x2000, 0x1000);
        rig.Map(At + 0x3000, 0x1000, DmaMapFlags.Readable);

        rig.Dma.TryRead(new Iova(At + 0x0FFC), out ulong value).Should().BeFalse();
        rig.Dma.TryWrite(new Iova(At + 0x2FFC), ulong.MaxValue).Should().BeFalse();
        rig.Dma.TryLease(new Iova(At + 0x2FFC), 8, writable: true, out _).Should().BeFalse();
        rig.Dma.TryLease(new Iova(At + 0x2FFC), 8, writable: false, out DmaLease lease).Should().BeTrue();

        value.Should().Be(0);
        lease.Dispose();
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void The_last_byte_of_the_address_space_can_be_accessed(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(0xFFFF_FFFF_FFFF_F000, 0x1000);

        rig.Dma.TryWrite(new Iova(ulong.MaxValue), (byte)0x42).Should().BeTrue();
        rig.Dma.TryRead(new Iova(ulong.MaxValue - 3), out uint value).Should().BeTrue();

        value.Should().Be(0x4200_0000);
        memory.Slice(0xFFF, 1)[0].Should().Be(0x42);
    }

    [Fact]
    public void No_access_wraps_from_the_last_address_to_zero()
    {
        using DmaRig rig = new();
        rig.Map(0xFFFF_FFFF_FFFF_F000, 0x1000).Slice(0xFFF, 1).Fill(0x11);
        SharedMemory bottom = rig.Map(0, 0x1000);
        bottom.Slice(0, 1).Fill(0x22);
        Iova last = new(ulong.MaxValue);

        rig.Dma.TryRead(last, out ushort value).Should().BeFalse();
        rig.Dma.TryWrite(last, (ushort)0xFFFF).Should().BeFalse();
        rig.Dma.TryAccess(last, 2, writable: true, 0, (memory, _) => memory.Fill(0xFF)).Should().BeFalse();
        rig.Dma.TryLease(last, 2, writable: true, out _).Should().BeFalse();

        value.Should().Be(0);
        bottom.Slice(0, 1)[0].Should().Be(0x22);
    }
}
