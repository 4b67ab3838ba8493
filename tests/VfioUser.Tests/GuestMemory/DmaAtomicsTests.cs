using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaAtomicsTests
{
    private const ulong At = 0x1_0000_0000;

    [Fact]
    public void Values_are_exchanged_if_they_are_the_expected_ones()
    {
        using DmaRig rig = new();
        Span<byte> memory = rig.Map(At, 0x1000).Slice(0, 8);
        rig.Dma.TryWrite(new Iova(At), 0x11u).Should().Be(DmaStatus.Done);

        rig.Dma.CompareExchange(new Iova(At), 0x22u, comparand: 0x10u, out uint found).Should().Be(DmaStatus.Done);
        found.Should().Be(0x11);
        memory[0].Should().Be(0x11);
        rig.Dma.CompareExchange(new Iova(At), 0x22u, comparand: 0x11u, out found).Should().Be(DmaStatus.Done);
        found.Should().Be(0x11);
        memory[0].Should().Be(0x22);
    }

    [Fact]
    public void Bits_are_set_and_cleared_and_sums_wrap_around_in_every_width()
    {
        using DmaRig rig = new();
        Span<byte> memory = rig.Map(At, 0x1000).Slice(0, 16);

        rig.Dma.FetchOr(new Iova(At + 1), (byte)0xF0, out byte one).Should().Be(DmaStatus.Done);
        rig.Dma.FetchAnd(new Iova(At + 1), (byte)0x3C, out byte two).Should().Be(DmaStatus.Done);
        rig.Dma.FetchAdd(new Iova(At + 2), ushort.MaxValue, out ushort three).Should().Be(DmaStatus.Done);
        rig.Dma.FetchAdd(new Iova(At + 2), (ushort)3, out ushort four).Should().Be(DmaStatus.Done);
        rig.Dma.FetchOr(new Iova(At + 8), 1ul << 63, out ulong five).Should().Be(DmaStatus.Done);

        (one, two, three, four, five).Should().Be((0, 0xF0, 0, ushort.MaxValue, 0));
        memory.ToArray().Should().Equal(0, 0x30, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80);
    }

    [Fact]
    public async Task No_sum_of_two_threads_is_lost()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        Task Add() => Background.Run(() =>
        {
            for (int i = 0; i < 20_000; i++)
                rig.Dma.FetchAdd(new Iova(At + 8), 1u, out uint _).Should().Be(DmaStatus.Done);
        });

        await Task.WhenAll(Add(), Add());

        rig.Dma.TryRead(new Iova(At + 8), out uint sum).Should().BeTrue();
        sum.Should().Be(40_000);
    }

    [Theory]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Memory_that_is_not_mapped_here_is_refused_and_not_changed(GuestMemoryKind kind)
    {
        using DmaRig rig = new(kind);
        SharedMemory memory = rig.Map(At, 0x1000);

        rig.Dma.CompareExchange(new Iova(At), 1u, 0u, out uint _).Should().Be(DmaStatus.NotInPlace);
        rig.Dma.FetchOr(new Iova(At), 1u, out uint _).Should().Be(DmaStatus.NotInPlace);

        memory.Slice(0, 4).ToArray().Should().Equal(0, 0, 0, 0);
        rig.Client.UnmapAllDma();
    }

    [Fact]
    public void Bad_addresses_and_rights_are_refused_and_hold_nothing()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);
        rig.Map(At + 0x8000, 0x1000, DmaMapFlags.Readable);
        rig.Map(At + 0x9000, 0x1000, DmaMapFlags.Writeable);

        DmaResult Tried(ulong address) => rig.Dma.FetchAdd(new Iova(address), 1ul, out ulong _);
        Tried(At + 4).Should().Be(DmaStatus.Misaligned, "it is no multiple of 8");
        Tried(At + 0xFFC).Should().Be(DmaStatus.Misaligned, "it crosses into another region");
        Tried(At + 0x2000).Should().Be(DmaStatus.NotMapped);
        Tried(At + 0x8000).Should().Be(DmaStatus.NotWritable);
        Tried(At + 0x9000).Should().Be(DmaStatus.NotReadable);
        Tried(ulong.MaxValue - 7).Should().Be(DmaStatus.NotMapped);
        Tried(ulong.MaxValue).Should().Be(DmaStatus.Misaligned);

        rig.Dma.Invoking(dma => dma.FetchAdd(new Iova(At), UInt128.One, out UInt128 _)).Should().Throw<NotSupportedException>();
        rig.Client.UnmapAllDma();
    }

    [Fact]
    public void A_value_that_the_mapping_puts_at_an_odd_place_is_refused()
    {
        using DmaRig rig = new();
        using SharedMemory memory = SharedMemory.Create(0x2000, "test");
        rig.Map(DmaRig.ReadWrite, offset: 2, At, 0x1000, memory.File);

        rig.Dma.FetchAdd(new Iova(At), 1u, out uint _).Should().Be(DmaStatus.NotInPlace);
        rig.Dma.FetchAdd(new Iova(At), (ushort)1, out ushort _).Should().Be(DmaStatus.Done);
        memory.Slice(2, 1)[0].Should().Be(1);
    }
}
