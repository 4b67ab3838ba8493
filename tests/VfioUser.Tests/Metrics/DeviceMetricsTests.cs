using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests.Metrics;

/// <summary>What is measured of what a device does to the guest.</summary>
public sealed class DeviceMetricsTests : IDisposable
{
    private const ulong First = 0x10000;

    private readonly Recorder _recorder = new();

    public void Dispose() => _recorder.Dispose();

    private VfioUserServerOptions Options => new() { MeterFactory = _recorder };

    [Theory]
    [InlineData(GuestMemoryKind.Mapped, "mapped")]
    [InlineData(GuestMemoryKind.FileIo, "file_io")]
    [InlineData(GuestMemoryKind.TwinSocket, "message")]
    [InlineData(GuestMemoryKind.SingleSocket, "message")]
    public void Dma_is_counted_by_way_and_direction(GuestMemoryKind way, string name)
    {
        using DmaRig rig = new(way, Options);
        rig.Map(First, 0x2000);

        rig.Dma.TryRead(new Iova(First), new byte[100]).Should().BeTrue();
        rig.Dma.TryWrite(new Iova(First), new byte[30]).Should().BeTrue();
        rig.Dma.TryWrite(new Iova(First), new byte[40]).Should().BeTrue();
        rig.Dma.TryRead(new Iova(First + 0x1FFF), new byte[2]).Should().BeFalse("its second byte is nowhere");

        (string, string) byBacking = ("vfio_user.dma.backing", name), read = ("vfio_user.dma.direction", "read"), write = ("vfio_user.dma.direction", "write");
        _recorder.Sum("vfio_user.dma.operations", byBacking, read).Should().Be(2, "the byte that is there was read");
        _recorder.Sum("vfio_user.dma.bytes", byBacking, read).Should().Be(101);
        _recorder.Sum("vfio_user.dma.operations", byBacking, write).Should().Be(2);
        _recorder.Sum("vfio_user.dma.bytes", byBacking, write).Should().Be(70);
        _recorder.Sum("vfio_user.dma.operations").Should().Be(4);
    }

    [Fact]
    public void Work_in_place_is_an_operation()
    {
        using DmaRig rig = new(GuestMemoryKind.Mapped, Options);
        rig.Map(First, 0x2000);

        rig.Dma.TryAccess(new Iova(First), 8, writable: false, 0, (_, _) => { }).Should().BeTrue();
        rig.Dma.TryAccess(new Iova(First), 16, writable: true, 0, (_, _) => { }).Should().BeTrue();

        _recorder.Sum("vfio_user.dma.bytes", ("vfio_user.dma.direction", "read")).Should().Be(8);
        _recorder.Sum("vfio_user.dma.bytes", ("vfio_user.dma.direction", "write")).Should().Be(16);
        _recorder.Sum("vfio_user.dma.operations").Should().Be(2);
    }

    [Fact]
    public void Leases_are_counted_when_they_are_taken_and_their_copies_when_they_are_made()
    {
        using DmaRig rig = new(GuestMemoryKind.Mapped, Options);
        rig.Map(First, 0x1000);
        rig.Map(First + 0x1000, 0x1000);

        rig.Dma.TryLease(new Iova(First), 0x2000, writable: false, out DmaLease lease).Should().BeTrue();
        _recorder.Sum("vfio_user.dma.operations").Should().Be(0);
        using (lease)
            lease.TryRead(0xFFF, new byte[2]).Should().BeTrue();
        rig.Dma.TryLease(new Iova(0), 1, writable: false, out _).Should().BeFalse();

        _recorder.Sum("vfio_user.dma.leases", ("vfio_user.dma.backing", "mapped")).Should().Be(1);
        _recorder.Sum("vfio_user.dma.operations").Should().Be(2, "it touched two regions");
        _recorder.Sum("vfio_user.dma.bytes").Should().Be(2);
    }

    [Fact]
    public void Pins_are_counted_as_leases_when_all_of_the_range_is_pinned()
    {
        using DmaRig rig = new(GuestMemoryKind.Mapped, Options);
        rig.Map(First, 0x1000);
        rig.Map(First + 0x1000, 0x1000);

        rig.Dma.TryPin(new Iova(First), 0x2000, DmaPinAccess.Read, out DmaPin pin).Should().BeTrue();
        pin!.Dispose();
        rig.Dma.TryPin(new Iova(First), 0x2001, DmaPinAccess.Read, out _).Should().BeFalse();

        _recorder.Sum("vfio_user.dma.leases", ("vfio_user.dma.backing", "mapped")).Should().Be(1);
    }

    [Fact]
    public void Interrupts_are_counted_by_type_when_they_are_sent()
    {
        IrqDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { Server = Options });
        guest.Msi.Disable();
        (string, string) msiX = ("vfio_user.irq.type", "msi_x");

        device.MsiX[1].Trigger().Should().BeTrue();
        device.Msi[0].Trigger().Should().BeFalse("the guest does not want to hear of it");
        guest.MsiX[1].Mask();
        device.MsiX[1].Trigger().Should().BeTrue();
        _recorder.Sum("vfio_user.irqs", msiX).Should().Be(1);
        guest.MsiX[1].Unmask();

        _recorder.Sum("vfio_user.irqs", msiX).Should().Be(2);
        _recorder.Sum("vfio_user.irqs").Should().Be(2);
    }
}
