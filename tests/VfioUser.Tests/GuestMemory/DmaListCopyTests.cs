using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>Copies from the memory of one guest to that of another.</summary>
public class DmaListCopyTests
{
    private const ulong At = 0x1_0000_0000;

    [Fact]
    public void Ranges_of_one_guest_become_those_of_another()
    {
        using DmaRig first = new();
        using DmaRig second = new();
        SharedMemory from = first.Map(At, 0x1000);
        first.Map(At + 0x1000, 0x1000).Slice(0, 4).Fill(7);
        SharedMemory to = second.Map(At, 0x2000);
        for (int i = 0; i < 0x1000; i++)
            from.Slice((ulong)i, 1)[0] = (byte)i;
        DmaList source = ListOf(first, (At + 0x10, 8), (At + 0xFFC, 8));
        DmaList destination = ListOf(second, (At + 0x800, 3), (At + 0x100, 12));

        source.TryCopyTo(1, destination, 1, 14).Should().BeTrue();

        to.Slice(0x800, 3).ToArray().Should().Equal(0, 0x11, 0x12);
        to.Slice(0x100, 13).ToArray().Should().Equal(0x13, 0x14, 0x15, 0x16, 0x17, 0xFC, 0xFD, 0xFE, 0xFF, 7, 7, 7, 0);
        (source.IsMapped(writable: false), destination.IsMapped(writable: true)).Should().Be((true, true));
    }

    [Theory]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Memory_that_is_not_mapped_is_left_to_others(GuestMemoryKind kind)
    {
        using DmaRig first = new(kind);
        using DmaRig second = new();
        first.Map(At, 0x1000);
        second.Map(At, 0x1000);
        DmaList one = ListOf(first, (At, 8));
        DmaList other = ListOf(second, (At, 8));

        one.TryCopyTo(0, other, 0, 8).Should().Be(DmaStatus.NotInPlace);
        other.TryCopyTo(0, one, 0, 8).Should().Be(DmaStatus.NotInPlace);

        one.IsMapped(writable: true).Should().BeFalse();
        other.IsMapped(writable: true).Should().BeTrue();
    }

    [Fact]
    public void Missing_memory_of_either_guest_is_the_result()
    {
        using DmaRig first = new();
        using DmaRig second = new();
        first.Map(At, 0x1000);
        SharedMemory to = second.Map(At, 0x1000);
        second.Map(At + 0x1000, 0x1000, DmaMapFlags.Readable);
        DmaList source = ListOf(first, (At, 8), (0xDEAD_0000, 8));
        DmaList destination = ListOf(second, (At, 8), (At + 0x1000, 8));

        source.TryCopyTo(4, destination, 0, 8).Should().Be(DmaStatus.NotMapped);
        source.TryCopyTo(0, destination, 4, 8).Should().Be(DmaStatus.NotWritable);
        source.TryCopyTo(0, destination, 9, 8).Should().Be(DmaStatus.EndOfList);
        source.TryCopyTo(9, destination, 0, 8).Should().Be(DmaStatus.EndOfList);
        ListOf(first, (ulong.MaxValue - 3, 8)).TryCopyTo(0, destination, 0, 8).Should().Be(DmaStatus.AddressOverflow);
        source.Invoking(it => it.TryCopyTo(0, destination, 0, -1)).Should().Throw<ArgumentOutOfRangeException>();

        source.IsMapped(writable: false).Should().BeFalse();
        destination.IsMapped(writable: false).Should().BeTrue();
        destination.IsMapped(writable: true).Should().BeFalse();
        ListOf(first, (ulong.MaxValue - 3, 8)).IsMapped(writable: false).Should().BeFalse();
        to.Slice(0, 16).ToArray().Should().OnlyContain(value => value == 0);
    }

    private static DmaList ListOf(DmaRig rig, params (ulong Address, uint Length)[] ranges)
    {
        DmaList list = new(rig.Dma);
        foreach ((ulong address, uint length) in ranges)
            list.Add(new Iova(address), length);
        return list;
    }
}
