using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaListTests
{
    private const ulong At = 0x1_0000_0000;

    [Theory]
    [ClassData(typeof(EachWay))]
    public void The_ranges_are_read_and_written_as_one(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x4000);
        DmaList list = new(rig.Dma);
        list.Add(new Iova(At + 0x3000), 5);
        list.Add(new Iova(At + 0x1000), 3);
        list.Add(new Iova(At + 0x2000), 4);
        byte[] data = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

        list.TryWrite(1, data).Should().Be(DmaStatus.Done);
        byte[] back = new byte[6];
        list.TryRead(3, back).Should().BeTrue();

        list.Length.Should().Be(12);
        back.Should().Equal(3, 4, 5, 6, 7, 8);
        memory.Slice(0x3000, 6).ToArray().Should().Equal(0, 1, 2, 3, 4, 0);
        memory.Slice(0x1000, 4).ToArray().Should().Equal(5, 6, 7, 0);
        memory.Slice(0x2000, 4).ToArray().Should().Equal(8, 9, 10, 0);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Ranges_are_accessed_one_after_the_other_from_any_offset(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x4000);
        DmaList list = new(rig.Dma);
        list.Add(new Iova(At + 0x3000), 5);
        list.Add(new Iova(At + 0x1000), 3);
        List<(int Offset, int Length)> pieces = [];

        DmaResult result = list.TryAccess(2, 5, writable: true, pieces, static (offset, piece, seen) =>
        {
            seen.Add((offset, piece.Length));
            piece.Fill((byte)(offset + 1));
        });

        result.Should().BeTrue();
        pieces.Should().Equal((0, 3), (3, 2));
        memory.Slice(0x3000, 6).ToArray().Should().Equal(0, 0, 1, 1, 1, 0);
        memory.Slice(0x1000, 3).ToArray().Should().Equal(4, 4, 0);
    }

    [Fact]
    public void Access_beyond_the_end_of_a_list_is_not_begun()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x4000);
        DmaList list = new(rig.Dma);
        list.Add(new Iova(At), 16);

        list.TryAccess(8, 9, writable: true, 0, static (_, _, _) => throw new InvalidOperationException()).Should().Be(DmaStatus.EndOfList);
    }

    [Theory]
    [InlineData(0, 1024, true)]
    [InlineData(512, 1024, true)]
    [InlineData(1, 512, false)]
    [InlineData(0, 1023, false)]
    [InlineData(512, 1536, false)] // the third range begins in between
    [InlineData(1024, 1536, false)] // beyond the end
    public void Ranges_are_aligned_if_each_is(long offset, int length, bool expected)
    {
        using DmaRig rig = new();
        rig.Map(At, 0x4000);
        DmaList list = new(rig.Dma);
        list.Add(new Iova(At + 0x1000), 512);
        list.Add(new Iova(At + 0x2000), 1024);
        list.Add(new Iova(At + 0x3001), 512);

        list.IsAligned(offset, length, 512).Should().Be(expected);
    }

    [Fact]
    public void Adjacent_ranges_are_merged_and_empty_ones_left_out()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x4000);
        DmaList list = new(rig.Dma);
        list.Add(new Iova(At), 0x1000);
        list.Add(new Iova(0xDEAD), 0);
        list.Add(new Iova(At + 0x1000), 0x1000);
        list.Add(new Iova(At + 0x3000), 0x800);

        (list.Count, list.Length).Should().Be((2, 0x2800L));
        list.TryPin(DmaPinAccess.Read, out DmaPin pin).Should().BeTrue();
        pin!.ReadOnlySegments.Select(segment => segment.Length).Should().Equal(0x2000, 0x800);
        pin.Dispose();

        list.Clear();
        (list.Count, list.Length).Should().Be((0, 0L));
        list.TryRead(0, []).Should().BeTrue();
        list.TryPin(DmaPinAccess.Write, out DmaPin nothing).Should().BeTrue();
        nothing!.Segments.Should().BeEmpty();
    }

    [Theory]
    [InlineData(0L, 9)]
    [InlineData(8L, 1)]
    [InlineData(9L, 0)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(long.MaxValue, 0)]
    public void Access_behind_the_end_of_the_list_fails(long offset, int length)
    {
        using DmaRig rig = new();
        SharedMemory memory = rig.Map(At, 0x1000);
        memory.Slice(0, 16).Fill(1);
        DmaList list = new(rig.Dma);
        list.Add(new Iova(At), 8);
        byte[] bytes = [.. Enumerable.Repeat((byte)9, length)];

        list.TryWrite(offset, bytes).Should().Be(DmaStatus.EndOfList);
        list.TryRead(offset, bytes).Should().Be(DmaStatus.EndOfList);

        bytes.Should().AllBeEquivalentTo((byte)0);
        memory.Slice(0, 16).ToArray().Should().OnlyContain(value => value == 1);
        list.Invoking(it => it.TryRead(-1, [])).Should().Throw<ArgumentOutOfRangeException>();
        list.Invoking(it => it.TryWrite(-1, [])).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void A_bad_range_fails_the_access_clears_the_destination_and_pins_nothing()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000).Slice(0, 4).Fill(1);
        DmaList list = new(rig.Dma);
        list.Add(new Iova(At), 4);
        list.Add(new Iova(0xDEAD_0000), uint.MaxValue);
        byte[] bytes = [9, 9, 9, 9, 9, 9];

        list.TryRead(0, bytes).Should().Be(DmaStatus.NotMapped);
        list.TryPin(DmaPinAccess.Read, out DmaPin pin).Should().Be(DmaStatus.NotMapped);

        bytes.Should().OnlyContain(value => value == 0);
        pin.Length.Should().Be(0);
        rig.Client.UnmapAllDma();
    }

    [Fact]
    public void Ranges_at_both_ends_of_the_address_space_are_not_merged()
    {
        using DmaRig rig = new();
        rig.Map(0, 0x1000);
        rig.Map(0xFFFF_FFFF_FFFF_F000, 0x1000);
        DmaList list = new(rig.Dma);
        list.Add(new Iova(0xFFFF_FFFF_FFFF_F000), 0x1000);
        list.Add(new Iova(0), 0x1000);

        list.Count.Should().Be(2);
        list.TryWrite(0xFFF, [1, 2]).Should().BeTrue();
        rig.Dma.TryRead(new Iova(0), out byte first).Should().BeTrue();
        first.Should().Be(2);
    }

    [Fact]
    public void Many_ranges_are_found_by_offset()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x10000);
        DmaList list = new(rig.Dma);
        byte[] data = new byte[3000];
        Random.Shared.NextBytes(data);
        for (uint i = 0; i < 1000; i++)
            list.Add(new Iova(At + (999 - i) * 16), i % 5 + 1);

        list.Length.Should().Be(3000);
        for (int at = 0; at < 3000; at += 7)
            list.TryWrite(at, data.AsSpan(at, Math.Min(7, 3000 - at))).Should().BeTrue();

        byte[] back = new byte[3000];
        list.TryRead(0, back).Should().BeTrue();
        back.Should().Equal(data);
    }

    [Fact]
    public async Task A_file_is_read_into_the_ranges_and_written_from_them_without_a_copy()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x10000);
        rig.Map(At + 0x10000, 0x10000);
        byte[] data = new byte[0x5000];
        Random.Shared.NextBytes(data);
        string path = Path.Combine(Path.GetTempPath(), OpenFiles.UniqueName());
        using Microsoft.Win32.SafeHandles.SafeFileHandle disk =
            File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, options: FileOptions.DeleteOnClose | FileOptions.Asynchronous);
        RandomAccess.Write(disk, data, 0);
        DmaList list = new(rig.Dma);
        list.Add(new Iova(At + 0xF000), 0x2000); // over two regions
        list.Add(new Iova(At + 0x1000), 0x1000);
        list.Add(new Iova(At + 0x1F000), 0x1000);
        list.Add(new Iova(At + 0x3000), 0x1000);

        list.TryPin(DmaPinAccess.Write, out DmaPin target).Should().BeTrue();
        using (target)
            (await RandomAccess.ReadAsync(disk, target!.Segments, 0)).Should().Be(0x5000);
        byte[] seen = new byte[0x5000];
        list.TryRead(0, seen).Should().BeTrue();
        list.TryPin(DmaPinAccess.Read, out DmaPin source).Should().BeTrue();
        using (source)
            await RandomAccess.WriteAsync(disk, source!.ReadOnlySegments, 0x5000);
        rig.Client.UnmapAllDma();

        seen.Should().Equal(data);
        byte[] written = new byte[0x5000];
        RandomAccess.Read(disk, written, 0x5000);
        written.Should().Equal(data);
    }
}
