using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaCopyTests
{
    private const ulong At = 0x1_0000_0000;

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Reads_see_guest_writes_and_the_guest_sees_device_writes(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x2000);
        memory.Slice(0x0FFE, 4).Fill(0x5A);

        byte[] read = new byte[6];
        rig.Dma.TryRead(new Iova(At + 0x0FFD), read).Should().BeTrue();
        rig.Dma.TryWrite(new Iova(At + 0x1FFE), [0xC0, 0xDE]).Should().BeTrue();

        read.Should().Equal(0, 0x5A, 0x5A, 0x5A, 0x5A, 0);
        memory.Slice(0x1FFD, 3).ToArray().Should().Equal(0, 0xC0, 0xDE);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void The_regions_say_how_they_are_reached(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);

        rig.Map(At + 0x1000, 0x2000, DmaMapFlags.Readable);
        rig.Map(At, 0x1000);

        DmaBacking expected = way switch { GuestMemoryKind.Mapped => DmaBacking.Mapped, GuestMemoryKind.FileIo => DmaBacking.FileIo, _ => DmaBacking.Message };
        rig.Dma.Regions.Should().Equal(
            new DmaRegion(new Iova(At), 0x1000, true, true, expected),
            new DmaRegion(new Iova(At + 0x1000), 0x2000, true, false, expected));
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void An_unmapped_address_clears_the_destination(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x1000);
        memory.Slice(0, 0x1000).Fill(0x77);

        foreach (ulong address in new[] { 0ul, At - 1, At + 0x0FFE, At + 0x1000, ulong.MaxValue - 1 })
        {
            byte[] destination = [1, 2, 3, 4];
            rig.Dma.TryRead(new Iova(address), destination).Should().BeFalse($"0x{address:x} is not mapped completely");
            destination.Should().Equal(0, 0, 0, 0);
            rig.Dma.TryWrite(new Iova(address), destination).Should().BeFalse();
        }
        rig.Dma.TryRead(new Iova(At), out byte _).Should().BeTrue("the session lives on");
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Memory_without_read_permission_is_not_read(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x1000, DmaMapFlags.Writeable);
        memory.Slice(0, 4).Fill(0x11);
        byte[] destination = [9, 9];

        rig.Dma.TryRead(new Iova(At), destination).Should().BeFalse();
        rig.Dma.TryWrite(new Iova(At), [0x22]).Should().BeTrue();
        rig.Dma.TryAccess(new Iova(At), 2, writable: true, 0, (_, _) => { }).Should().BeFalse();
        rig.Dma.TryLease(new Iova(At), 2, writable: true, out _).Should().BeFalse();

        destination.Should().Equal(0, 0);
        memory.Slice(0, 2).ToArray().Should().Equal(0x22, 0x11);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Memory_without_write_permission_is_not_written(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x1000, DmaMapFlags.Readable);
        memory.Slice(0, 4).Fill(0x11);

        rig.Dma.TryWrite(new Iova(At), [0x22]).Should().BeFalse();
        rig.Dma.TryAccess(new Iova(At), 2, writable: true, 0, (_, _) => { }).Should().BeFalse();
        rig.Dma.TryLease(new Iova(At), 2, writable: true, out _).Should().BeFalse();
        rig.Dma.TryRead(new Iova(At), out ushort value).Should().BeTrue();

        value.Should().Be(0x1111);
        memory.Slice(0, 2).ToArray().Should().Equal(0x11, 0x11);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void A_region_without_any_right_is_there_and_cannot_be_touched(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);

        rig.Map(At, 0x1000, DmaMapFlags.None);

        rig.Dma.Regions.Should().ContainSingle().Which.IsReadable.Should().BeFalse();
        rig.Dma.TryRead(new Iova(At), out byte _).Should().BeFalse();
        rig.Dma.TryWrite(new Iova(At), (byte)1).Should().BeFalse();
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void An_access_of_0_bytes_succeeds_at_any_address(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);

        rig.Dma.TryRead(new Iova(0xDEAD), []).Should().BeTrue();
        rig.Dma.TryWrite(new Iova(0xDEAD), []).Should().BeTrue();
        rig.Transfers.Should().BeEmpty();
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Values_are_little_endian(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x1000);
        new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 }.CopyTo(memory.Slice(8, 8));

        rig.Dma.TryRead(new Iova(At + 8), out ulong eight).Should().BeTrue();
        rig.Dma.TryRead(new Iova(At + 8), out uint four).Should().BeTrue();
        rig.Dma.TryRead(new Iova(At + 8), out ushort two).Should().BeTrue();
        rig.Dma.TryRead(new Iova(At + 9), out (int First, byte Second, ushort Third) several).Should().BeTrue();
        rig.Dma.TryWrite(new Iova(At), 0xA1B2_C3D4_E5F6_0718ul).Should().BeTrue();
        rig.Dma.TryWrite(new Iova(At + 16), 0xCAFE_F00Du).Should().BeTrue();
        rig.Dma.TryWrite(new Iova(At + 20), (ushort)0xBEEF).Should().BeTrue();
        rig.Dma.TryWrite(new Iova(At + 22), (byte)0x99).Should().BeTrue();

        eight.Should().Be(0x0807_0605_0403_0201);
        four.Should().Be(0x0403_0201);
        two.Should().Be(0x0201);
        several.First.Should().Be(0x0504_0302);
        memory.Slice(0, 8).ToArray().Should().Equal(0x18, 0x07, 0xF6, 0xE5, 0xD4, 0xC3, 0xB2, 0xA1);
        memory.Slice(16, 8).ToArray().Should().Equal(0x0D, 0xF0, 0xFE, 0xCA, 0xEF, 0xBE, 0x99, 0);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Every_length_and_alignment_copies_exactly_its_bytes(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        SharedMemory memory = rig.Map(At, 0x1000);
        byte[] source = [.. Enumerable.Range(1, 40).Select(i => (byte)i)];
        for (int length = 0; length <= 20; length++)
        {
            for (int offset = 0; offset < 9; offset++)
            {
                memory.Slice(0, 64).Clear();
                rig.Dma.TryWrite(new Iova(At + 8 + (ulong)offset), source.AsSpan(0, length)).Should().BeTrue();
                byte[] back = new byte[length];
                rig.Dma.TryRead(new Iova(At + 8 + (ulong)offset), back).Should().BeTrue();

                back.Should().Equal(source[..length]);
                memory.Slice(0, 64).ToArray().Should().Equal([.. new byte[8 + offset], .. source[..length], .. new byte[56 - offset - length]]);
            }
        }
    }

    [Fact]
    public void Without_a_client_there_is_no_memory()
    {
        Dma dma = new BlankDevice().Dma;
        byte[] destination = [1, 2];

        dma.TryRead(new Iova(0), destination).Should().BeFalse();
        destination.Should().Equal(0, 0);
        dma.TryWrite(new Iova(0), destination).Should().BeFalse();
        dma.TryAccess(new Iova(0), 2, writable: false, 0, (_, _) => { }).Should().BeFalse();
        dma.TryLease(new Iova(0), 2, writable: false, out DmaLease lease).Should().BeFalse();
        lease.Should().Be(default(DmaLease));
        dma.Regions.Should().BeEmpty();
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void Memory_is_unmapped_when_its_client_disconnects(GuestMemoryKind way)
    {
        DmaRig rig = new(way);
        rig.Map(At, 0x1000);
        rig.Dma.TryWrite<uint>(new Iova(At), 1).Should().BeTrue();

        rig.Dispose();

        rig.Dma.TryRead(new Iova(At), out int _).Should().BeFalse();
        rig.Dma.TryWrite<uint>(new Iova(At), 1).Should().BeFalse();
        rig.Dma.Regions.Should().BeEmpty();
    }
}
