using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Spec: VFIO_USER_DEVICE_RESET.</summary>
public sealed class DeviceResetTests
{
    [Fact]
    public void The_device_is_reset_and_keeps_its_memory_and_its_interrupts()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        using EventFd eventFd = new();
        client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
        client.Ask(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, (uint)IrqType.MsiX, 0, 1), eventFd.Handle)
            .ShouldBeGranted();

        client.Ask(Command.DeviceReset).ShouldBeGranted();

        served.Device.ShouldTell("reset by ClientRequested");
        served.Device.Dma.Regions.Should().HaveCount(1);
        served.Device.MsiX[0].Trigger().Should().BeTrue();
        eventFd.Take().Should().Be(1);
    }

    [Fact]
    public void A_reset_with_a_payload_is_refused()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.Ask(Command.DeviceReset, new byte[] { 0 }).ShouldBeRefused(Errno.EINVAL);

        client.ShouldBeServed();
        served.Device.Diary.Should().NotContain("reset by ClientRequested");
    }
}
