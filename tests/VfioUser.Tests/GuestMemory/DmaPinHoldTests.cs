using System.Buffers;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>What a pin holds, and until when.</summary>
public class DmaPinHoldTests
{
    private const ulong At = 0x1_0000_0000;

    [Fact]
    public async Task Unmap_waits_for_the_pin()
    {
        using DmaRig rig = new();
        SharedMemory memory = rig.Map(At, 0x1000);
        rig.Map(At + 0x1000, 0x1000);
        rig.Dma.TryPin(new Iova(At + 0x800), 0x1000, DmaPinAccess.Write, out DmaPin pin).Should().BeTrue();

        Task unmap = Background.Run(rig.Client.UnmapAllDma);
        Background.MustBecomeTrue(() => rig.Dma.Regions.Count == 0, "the unmap begins");

        rig.Dma.TryPin(new Iova(At), 1, DmaPinAccess.Read, out _).Should().BeFalse();
        pin!.Segments[0].Span[0] = 7;
        memory.Slice(0x800, 1)[0].Should().Be(7);
        unmap.IsCompleted.Should().BeFalse();
        pin.Dispose();
        await unmap.WaitAsync(Background.Timeout);
    }

    [Fact]
    public async Task Unmap_waits_for_io_in_flight_after_the_pin_is_disposed()
    {
        using DmaRig rig = new();
        SharedMemory memory = rig.Map(At, 0x1000);
        rig.Dma.TryPin(new Iova(At), 0x1000, DmaPinAccess.Write, out DmaPin pin).Should().BeTrue();
        MemoryHandle inFlight = pin!.Segments[0][8..].Pin();
        nint pointer = pin.DangerousGetPointer() + 8;

        pin.Dispose();
        Task unmap = Background.Run(() => rig.Client.UnmapDma(At, 0x1000));
        Background.MustBecomeTrue(() => rig.Dma.Regions.Count == 0, "the unmap begins");

        System.Runtime.InteropServices.Marshal.WriteByte(pointer, 0x44);
        unmap.IsCompleted.Should().BeFalse();
        inFlight.Dispose();
        await unmap.WaitAsync(Background.Timeout);
        memory.Slice(8, 1)[0].Should().Be(0x44);
    }

    [Theory]
    [InlineData(DmaPinAccess.Read, 0b0000)]
    [InlineData(DmaPinAccess.Write, 0b0110)]
    [InlineData(DmaPinAccess.ReadWrite, 0b0110)]
    public void Pages_that_may_be_written_are_reported_as_dirty_when_the_last_io_ends(DmaPinAccess access, byte expected)
    {
        using DmaRig rig = new(device: new BlankDevice(device => device.EnableMigration()));
        rig.Map(At, 0x4000);
        rig.Client.StartDirtyPages(0x1000);
        rig.Dma.TryPin(new Iova(At + 0x1FFF), 2, access, out DmaPin pin).Should().BeTrue();
        MemoryHandle inFlight = access == DmaPinAccess.Write ? pin!.Segments[0].Pin() : pin!.ReadOnlySegments[0].Pin();

        pin.Dispose();
        rig.Client.GetDirtyPages(At, 0x4000, 0x1000)[0].Should().Be(0, "the write may still come");
        inFlight.Dispose();

        rig.Client.GetDirtyPages(At, 0x4000, 0x1000)[0].Should().Be(expected);
    }

    [Fact]
    public void A_pin_that_is_refused_marks_nothing()
    {
        using DmaRig rig = new(device: new BlankDevice(device => device.EnableMigration()));
        rig.Map(At, 0x4000);
        rig.Client.StartDirtyPages(0x1000);

        rig.Dma.TryPin(new Iova(At), 0x4001, DmaPinAccess.Write, out _).Should().BeFalse();

        rig.Client.GetDirtyPages(At, 0x4000, 0x1000)[0].Should().Be(0);
    }

    [Fact]
    public async Task A_server_that_is_disposed_does_not_wait_for_a_pin_and_the_memory_stays()
    {
        using DmaRig rig = new();
        string name = OpenFiles.UniqueName();
        rig.Map(At, 0x1000, name: name).Slice(0, 1).Fill(0x66);
        rig.Dma.TryPin(new Iova(At), 0x1000, DmaPinAccess.Read, out DmaPin pin).Should().BeTrue();

        rig.Server.Dispose();
        await rig.Serving.WaitAsync(Background.Timeout);

        pin!.ReadOnlySegments[0].Span[0].Should().Be(0x66);
        OpenFiles.Mappings(name).Should().Be(2);
        pin.Dispose();
        OpenFiles.Mappings(name).Should().Be(1, "the last one out unmaps it");
    }

    [Fact]
    public void Memory_stays_pinned_through_a_reset_and_while_bus_mastering_is_off()
    {
        BlankDevice device = new(device => device.RequiresBusMaster = true);
        using TestGuest guest = TestGuest.Attach(device);
        Iova address = guest.Place([3]);
        device.Dma.TryPin(address, 1, DmaPinAccess.Read, out DmaPin pin).Should().BeTrue();

        guest.Reset();
        guest.Enumerate().ClearCommand(PciCommands.BusMaster);

        pin!.ReadOnlySegments[0].Span[0].Should().Be(3);
        pin.Dispose();
    }

    [Fact]
    public void A_pin_that_is_never_disposed_fails_the_test_with_the_line_that_took_it()
    {
        BlankDevice device = new();
        TestGuest guest = TestGuest.Attach(device, new() { Timeout = TimeSpan.FromSeconds(1) });
        Iova buffer = guest.Memory.Allocate(4096);
        device.Dma.TryPin(buffer, 512, DmaPinAccess.Write, out _).Should().BeTrue();
        device.Dma.TryPin(buffer, 0, DmaPinAccess.Write, out _).Should().BeTrue();

        string message = guest.Invoking(leaving => leaving.Dispose()).Should().Throw<TestGuestException>().Which.Message;

        message.Should().Contain($"a pin of 512 bytes, the first at {buffer}").And.Contain(nameof(A_pin_that_is_never_disposed_fails_the_test_with_the_line_that_took_it));
        message.Should().NotContain("a pin of 0 bytes");
    }

    [Fact]
    public void Segments_are_listed_once_and_spans_of_them_allocate_nothing()
    {
        using DmaRig rig = new();
        rig.Map(At, 0x1000);
        rig.Dma.TryPin(new Iova(At), 0x1000, DmaPinAccess.ReadWrite, out DmaPin pin).Should().BeTrue();
        pin!.Segments[0].Pin().Dispose();

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            pin.Segments[0].Span[0] = 1;
            pin.Segments[0].Pin().Dispose();
        }

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        pin.Dispose();
    }
}
