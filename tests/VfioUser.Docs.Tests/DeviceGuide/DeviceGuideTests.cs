using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>The devices of <c>docs/device-guide.md</c> do what it says.</summary>
public class DeviceGuideTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    [Fact]
    public void Parts_count_for_themselves()
    {
        TwoCounters device = new();
        using var guest = TestGuest.Attach(device);

        device.Out.Pulse();
        device.Out.Pulse();

        guest.Registers["OUT.COUNT"].Read().Should().Be(2);
        guest.Registers["OUT.COUNT"].Read().Should().Be(0);
        guest.Registers["IN.COUNT"].Read().Should().Be(0);
    }

    [Fact]
    public void Registers_of_every_kind()
    {
        Timer timer = new();
        using var guest = TestGuest.Attach(timer);

        guest.Bar0.Write(0x00, 7u);
        guest.Bar0.Read<uint>(0x00).Should().Be(0x0002_0001, "it is read-only");
        guest.Bar0.Write(0x04, uint.MaxValue);
        guest.Bar0.Read<uint>(0x04).Should().Be(Timer.Enable, "the other bits are outside the mask");
        guest.Bar0.Write(0x18, 1000u);
        guest.Bar0.Read<ulong>(0x10).Should().Be(1000);
        guest.Bar0.Read<uint>(0x18).Should().Be(0, "a doorbell reads as zero");
        timer.Expire();
        guest.Bar0.Read<uint>(0x08).Should().Be(Timer.Expired);
        guest.Bar0.Write(0x08, Timer.Expired);
        guest.Bar0.Read<uint>(0x08).Should().Be(0);
        guest.Bar0.Read<byte>(0x02).Should().Be(2, "any width works");
    }

    [Fact]
    public void A_window_answers_any_offset_and_width()
    {
        using var guest = TestGuest.Attach(new Window());
        byte[] read = new byte[3];

        guest.Bar2.Write(0x123, 0x0605_0403u);
        guest.Bar2.Read(0x124, read);

        read.Should().Equal(4, 5, 6);
    }

    [Fact]
    public void Shared_memory_is_seen_by_both_sides()
    {
        FrameBuffer device = new();
        using var guest = TestGuest.Attach(device);
        using ClientRegion region = guest.Client.GetRegionInfo(0);

        guest.Bar0.Write<byte>(0x500, 200);

        device.Brightest().Should().Be(200);
        guest.Bar0.Read<uint>(0x10000).Should().Be(640);
        region.Info.Flags.Should().HaveFlag(RegionFlags.Mmap);
    }

    [Fact]
    public void Doorbells_of_three_kinds()
    {
        Doorbells ioEventFds = new();
        using var guest = TestGuest.Attach(ioEventFds);

        guest.Bar0.Write(0x00, 5u);
        guest.Bar0.Ring(0x04, 1u).Should().BeTrue("the client has an eventfd for it");
        guest.Bar0.Write(0x1004, 3u);

        ioEventFds.ByMessage.Should().Be(5);
        SpinWait.SpinUntil(() => ioEventFds.ByEventFd == 1, Timeout).Should().BeTrue();
        SpinWait.SpinUntil(() => ioEventFds.ByMemory == 3, Timeout).Should().BeTrue();
    }

    [Fact]
    public void Configuration_space_has_what_was_added()
    {
        ExpressCard card = new();
        using var guest = TestGuest.Attach(card);
        int power = card.Config.FindCapability(0x01)!.Value;

        guest.Config.Write<byte>(power + 4, 3);
        guest.Config.Write(0xE0, 0xFFFF_FF10u);

        card.State.Should().Be(PowerState.D3Hot);
        card.Threshold.Should().Be(0x10);
        guest.Config.Read<uint>(0xE0).Should().Be(0x10);
        guest.Config.GetSize().Should().Be(4096);
        guest.Rom.Read<ushort>(0).Should().Be(0xAA55);
        guest.Rom.GetSize().Should().Be(2048);
        guest.Region((RegionIndex)9).GetSize().Should().Be(0x1000);
    }

    [Fact]
    public void A_vendor_capability_can_be_a_mailbox()
    {
        Mailbox device = new();
        using var guest = TestGuest.Attach(device);
        int data = device.Config.FindCapability(0x09)!.Value + 3;

        guest.Config.Write(data, 0x1122_3344u);

        guest.Config.Read<uint>(data + 4).Should().Be(0x4433_2211);
    }

    [Fact]
    public void A_device_is_notified_of_its_clients_in_order()
    {
        Diary diary = new();

        using (var guest = TestGuest.Attach(diary))
            guest.Reset();

        diary.Lines.Should().Equal("attached", "mapped", "reset: ClientRequested", "unmapping", "detached");
    }

    [Fact]
    public void An_exception_in_a_handler_is_EIO_and_the_hook_is_called()
    {
        List<DeviceExceptionContext> seen = [];
        VfioUserServerOptions server = new()
        {
            OnDeviceException = context => seen.Add(context),
        };
        var guest = TestGuest.Attach(new Diary(), new TestGuestOptions { Server = server });

        guest.Invoking(it => it.Bar0.Write(0x00, 1u)).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EIO);
        guest.Bar0.Read<uint>(0x00).Should().Be(0, "the session goes on");
        guest.Dispose();

        seen.Should().ContainSingle().Which.Exception.Should().BeOfType<InvalidDataException>();
    }

    [Fact]
    public void Misuse_throws_where_the_device_is_made()
    {
        Action overlapping = () => _ = new Overlapping();

        overlapping.Should().Throw<ArgumentException>().WithMessage("*register at 0x6*");
    }

    private sealed class Overlapping : PciDevice
    {
        public Overlapping()
            : base(new PciId(0x1B36, 0x00E7), PciClass.Other)
        {
            Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
            bar0.AddRegister<uint>(0x04);
            bar0.AddRegister<ushort>(0x06);
        }
    }

    [Fact]
    public void Guest_chooses_sizes_and_functions_and_reads_errors()
    {
        string path = Path.Combine(Path.GetTempPath(), $"accelerator-{Guid.NewGuid():N}.sock");
        using VfioUserHost host = new();
        Accelerator device = new(host, path);
        using var guest = TestGuest.Attach(device);
        int sriov = device.Config.Sriov!.Offset, resizable = device.Config.ResizableBars!.Offset, aer = device.Config.Aer!.Offset;

        device.TimedOut(0xFEE0_0000);
        guest.Config.Write(resizable + 9, (byte)0x0D); // 8 GiB
        guest.Config.Write<ushort>(sriov + 0x10, 2);
        guest.Config.Write<ushort>(sriov + 0x08, 1);

        guest.Config.Read<uint>(aer + 0x04).Should().Be(1u << 14);
        guest.Config.Read<uint>(aer + 0x24).Should().Be(0xFEE0_0000);
        device.Window.Should().Be(8L << 30);
        device.Served.Select(served => served.Address).Should().Equal($"{path}.vf0", $"{path}.vf1");
    }

    [Fact]
    public void Device_waits_for_its_own_eventfd()
    {
        using QueueCard device = new();
        using var guest = TestGuest.Attach(device);

        guest.Bar0.Ring(0x08, 1u);

        device.Turn(TimeSpan.FromSeconds(30)).Should().BeTrue();
        device.Drained.Should().Be(1);
    }
}
