using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaPinTests
{
    private const ulong At = 0x1_0000_0000;

    [Fact]
    public void A_pin_is_the_memory_itself_in_a_segment_for_each_region()
    {
        using DmaRig rig = new();
        SharedMemory[] memories = [rig.Map(At, 0x1000), rig.Map(At + 0x1000, 0x1000), rig.Map(At + 0x2000, 0x1000)];

        rig.Dma.TryPin(new Iova(At + 0x800), 0x2000, DmaPinAccess.ReadWrite, out DmaPin pin).Should().BeTrue();
        using (pin)
        {
            pin!.Length.Should().Be(0x2000);
            pin.Segments.Select(segment => segment.Length).Should().Equal(0x800, 0x1000, 0x800);
            for (int i = 0; i < 3; i++)
                pin.Segments[i].Span.Fill((byte)(i + 1));
            memories[2].Slice(0, 1)[0] = 0x99;
            pin.ReadOnlySegments[2].Span[0].Should().Be(0x99, "nothing is copied");
        }

        memories[0].Slice(0x7FF, 2).ToArray().Should().Equal(0, 1);
        memories[1].Slice(0xFFF, 1)[0].Should().Be(2);
        memories[2].Slice(0x7FF, 2).ToArray().Should().Equal(3, 0);
    }

    [Fact]
    public void Regions_that_are_mapped_for_less_than_the_pin_needs_are_refused()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000, DmaMapFlags.Readable);
        rig.Map(At + 0x1000, 0x1000, DmaMapFlags.Writeable);

        rig.Dma.TryPin(new Iova(At), 1, DmaPinAccess.Write, out _).Should().Be(DmaStatus.NotWritable);
        rig.Dma.TryPin(new Iova(At), 1, DmaPinAccess.ReadWrite, out _).Should().Be(DmaStatus.NotWritable);
        rig.Dma.TryPin(new Iova(At + 0x1000), 1, DmaPinAccess.Read, out _).Should().Be(DmaStatus.NotReadable);
        rig.Dma.TryPin(new Iova(At + 0x1000), 1, DmaPinAccess.ReadWrite, out _).Should().Be(DmaStatus.NotReadable);
        rig.Dma.TryPin(new Iova(At), 1, DmaPinAccess.Read, out DmaPin reading).Should().Be(DmaStatus.Done);
        rig.Dma.TryPin(new Iova(At + 0x1000), 1, DmaPinAccess.Write, out DmaPin writing).Should().Be(DmaStatus.Done);

        reading!.Invoking(pin => pin.Segments).Should().Throw<InvalidOperationException>();
        writing!.Invoking(pin => pin.ReadOnlySegments).Should().Throw<InvalidOperationException>();
        reading!.Dispose();
        writing!.Dispose();
        rig.Client.UnmapAllDma();
    }

    [Theory]
    [InlineData(At, 0x2001ul)]
    [InlineData(At + 0x1FFF, 2ul)]
    [InlineData(At, ulong.MaxValue)]
    [InlineData(At - 1, 2ul)]
    [InlineData(0xFFFF_FFFF_FFFF_F000, 0x1001ul)]
    [InlineData(0xFFFF_FFFF_FFFF_FFFF, 2ul)]
    [InlineData(0xFFFF_FFFF_FFFF_F000, ulong.MaxValue)]
    public void A_range_that_leaves_mapped_memory_or_wraps_is_refused_and_holds_nothing(ulong address, ulong length)
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);
        rig.Map(0, 0x1000);
        rig.Map(0xFFFF_FFFF_FFFF_F000, 0x1000);

        rig.Dma.TryPin(new Iova(address), length, DmaPinAccess.Read, out DmaPin pin).IsBadAddress.Should().BeTrue();
        rig.Dma.TryPin(new Iova(address), length, DmaPinAccess.Write, out _).Should().BeFalse();

        pin.Length.Should().Be(0);
        pin.Invoking(it => it.DangerousGetPointer()).Should().Throw<ArgumentOutOfRangeException>();
        pin.Dispose();
        rig.Client.UnmapAllDma();
    }

    [Fact]
    public void The_last_bytes_of_the_address_space_can_be_pinned()
    {
        using DmaRig rig = new();
        rig.Map(0xFFFF_FFFF_FFFF_F000, 0x1000);

        rig.Dma.TryPin(new Iova(0xFFFF_FFFF_FFFF_F800), 0x800, DmaPinAccess.Read, out DmaPin pin).Should().BeTrue();

        pin!.ReadOnlySegments.Should().ContainSingle().Which.Length.Should().Be(0x800);
        pin.Dispose();
    }

    [Theory]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Memory_that_is_not_mapped_here_cannot_be_pinned(GuestMemoryKind way)
    {
        using DmaRig rig = new(way);
        rig.Map(At, 0x1000, way: GuestMemoryKind.Mapped);
        rig.Map(At + 0x1000, 0x1000);

        rig.Dma.TryPin(new Iova(At), 0x1001, DmaPinAccess.Read, out DmaPin pin).Should().Be(DmaStatus.NotInPlace);

        pin.Length.Should().Be(0);
        pin.Invoking(it => it.DangerousGetPointer()).Should().Throw<ArgumentOutOfRangeException>();
        pin.Dispose();
        rig.Client.UnmapAllDma();
    }

    [Fact]
    public void Memory_that_the_client_could_truncate_cannot_be_pinned()
    {
        using DmaRig rig = new();
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = TestFiles.Memory(0x1000);
        rig.Map(DmaRig.ReadWrite, 0, At, 0x1000, file);

        rig.Dma.TryPin(new Iova(At), 0x1000, DmaPinAccess.Write, out _).Should().Be(DmaStatus.NotInPlace);
    }

    [Fact]
    public void Large_regions_have_segments_of_a_gibibyte()
    {
        const ulong size = 5ul << 29;
        using DmaRig rig = new(device: new BlankDevice(device => device.EnableMigration()));
        SharedMemory memory = rig.Map(At, size);
        rig.Client.StartDirtyPages(1 << 30);

        rig.Dma.TryPin(new Iova(At + 1), size - 1, DmaPinAccess.Write, out DmaPin pin).Should().BeTrue();
        using (pin)
        {
            pin!.Length.Should().Be(size - 1);
            pin.Segments.Select(segment => segment.Length).Should().Equal(1 << 30, 1 << 30, (1 << 29) - 1);
            pin.Segments[2].Span[^1] = 0x21;
            pin.Segments[1].Span[0] = 0x22;
        }

        memory.Slice(size - 1, 1)[0].Should().Be(0x21);
        memory.Slice((1 << 30) + 1, 1)[0].Should().Be(0x22);
        rig.Client.GetDirtyPages(At, size, 1 << 30)[0].Should().Be(0b111);
    }

    [Fact]
    public void An_empty_pin_has_no_segments_and_holds_nothing()
    {
        using DmaRig rig = new();

        rig.Dma.TryPin(new Iova(0xDEAD), 0, DmaPinAccess.ReadWrite, out DmaPin pin).Should().BeTrue();

        pin!.Length.Should().Be(0);
        pin.Segments.Should().BeEmpty();
        pin.ReadOnlySegments.Should().BeEmpty();
        pin.Invoking(empty => empty.DangerousGetPointer()).Should().Throw<ArgumentOutOfRangeException>();
        pin.Dispose();
    }

    [Fact]
    public void A_wrong_access_is_a_mistake_of_the_device()
    {
        using DmaRig rig = new();

        rig.Dma.Invoking(dma => dma.TryPin(default, 0, (DmaPinAccess)3, out _)).Should().Throw<ArgumentOutOfRangeException>();
        rig.Dma.Invoking(dma => dma.TryPin(default, 0, (DmaPinAccess)(-1), out _)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void The_result_names_a_missing_client_and_disabled_bus_mastering()
    {
        BlankDevice device = new(device => device.RequiresBusMaster = true);
        device.Dma.TryPin(new Iova(At), 1, DmaPinAccess.Read, out _).Should().Be(DmaStatus.Disconnected);
        using TestGuest guest = TestGuest.Attach(device, new() { EnableBusMaster = false });

        device.Dma.TryPin(guest.Memory.Address, 1, DmaPinAccess.Read, out _).Should().Be(DmaStatus.BusMasterOff);
    }

    [Fact]
    public void After_its_end_neither_pin_nor_memory_can_be_used()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Dma.TryPin(new Iova(At), 0x1000, DmaPinAccess.ReadWrite, out DmaPin pin).Should().BeTrue();
        Memory<byte> memory = pin!.Segments[0];

        pin.Dispose();
        pin.Dispose();

        pin.Invoking(disposed => disposed.Segments).Should().Throw<ObjectDisposedException>();
        pin.Invoking(disposed => disposed.ReadOnlySegments).Should().Throw<ObjectDisposedException>();
        pin.Invoking(disposed => disposed.DangerousGetPointer()).Should().Throw<ObjectDisposedException>();
        memory.Invoking(stale => stale.Span.Length).Should().Throw<ObjectDisposedException>();
        memory.Invoking(stale => stale.Pin()).Should().Throw<ObjectDisposedException>();
        memory[..8].Invoking(stale => stale.Span.Length).Should().Throw<ObjectDisposedException>();
        rig.Client.UnmapDma(At, 0x1000);
    }

    [Fact]
    public void A_pointer_points_to_the_segment()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000).Slice(0, 1)[0] = 0x5A;
        rig.Dma.TryPin(new Iova(At + 0xFFF), 2, DmaPinAccess.Read, out DmaPin pin).Should().BeTrue();

        System.Runtime.InteropServices.Marshal.ReadByte(pin!.DangerousGetPointer(1)).Should().Be(0x5A);

        pin!.Invoking(held => held.DangerousGetPointer(2)).Should().Throw<ArgumentOutOfRangeException>();
        pin!.Invoking(held => held.DangerousGetPointer(-1)).Should().Throw<ArgumentOutOfRangeException>();
        pin!.Dispose();
    }
}
