using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>What stays and what goes with a client. Spec: "Socket Disconnection Behavior".</summary>
public sealed class ClientAfterClientTests
{
    [Fact]
    public void The_devices_state_stays_and_memory_and_interrupts_go()
    {
        using Served served = Served.Start();
        using EventFd eventFd = new();
        using SafeFileHandle file = Files.Sealed(0x1000);
        using (RawClient client = served.Attach())
        {
            client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), 1, 2, 3, 4));
            client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
            client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x2000, 0x1000), file).ShouldBeGranted();
            client.Ask(Command.DeviceSetIrqs,
                new IrqSet(IrqSet.WireSize, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, (uint)IrqType.MsiX, 0, 1), eventFd.Handle).ShouldBeGranted();
            client.Ask(Command.DeviceSetIrqs,
                new IrqSet(IrqSet.WireSize, IrqSetFlags.DataNone | IrqSetFlags.ActionMask, (uint)IrqType.MsiX, 1, 1)).ShouldBeGranted();
        }

        served.Device.ShouldTell("detached");

        served.Device.Dma.Regions.Should().BeEmpty();
        served.Device.Dma.TryRead(new Iova(0x1000), out int _).Should().BeFalse();
        served.Device.Dma.TryRead(new Iova(0x2000), out int _).Should().BeFalse();
        served.Device.MsiX[0].Trigger().Should().BeFalse();
        served.Device.MsiX[1].IsMasked.Should().BeFalse();
        eventFd.Take().Should().Be(0);
        using RawClient next = served.Attach();
        next.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4)).ShouldBegin<RegionAccess>(out byte[] data);
        data.Should().Equal(1, 2, 3, 4);
        next.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
    }

    [Fact]
    public void The_device_is_notified_of_clients_in_order()
    {
        using Served served = Served.Start();
        using (RawClient client = served.Attach())
            client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
        using (RawClient client = served.Attach())
            client.ShouldBeServed();
        served.Server.Dispose();
        served.Running.ShouldEnd();

        served.Device.Diary.Should().Equal("attached", "mapped 0x1000", "unmapping 0x1000", "detached", "attached", "detached");
    }

    [Fact]
    public void A_second_client_waits_for_its_turn()
    {
        using Served served = Served.Start(new VfioUserServerOptions { BusyAfter = Wait.Bound });
        using RawClient first = served.Attach();
        using RawClient second = served.Connect();
        ushort id = second.Say(Command.Version, Served.Version(0, 0, Served.QemuProposal));

        first.ShouldBeServed();
        first.Dispose();

        second.HearReply(id, Command.Version).ShouldBegin<ProtocolVersion>(out _);
        second.ShouldBeServed();
    }

    [Fact]
    public void A_hundred_clients_are_served_one_after_another()
    {
        using Served served = Served.Start();

        for (int i = 0; i < 100; i++)
        {
            using RawClient client = served.Attach(i % 2 == 0 ? Served.QemuProposal : Served.TwinProposal);
            client.ShouldBeServed();
        }
    }
}
