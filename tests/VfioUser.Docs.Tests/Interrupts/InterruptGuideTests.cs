using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Interrupts;

/// <summary>The devices of <c>docs/interrupts.md</c> do what it says.</summary>
public class InterruptGuideTests
{
    [Fact]
    public void Intx_stays_asserted_until_the_driver_has_cleared_the_cause()
    {
        Receiver device = new();
        using var guest = TestGuest.Attach(device);

        device.Receive();
        guest.Intx.WaitFor(1);
        guest.Intx.Unmask(); // handled, says the client, but the cause is still there
        guest.Intx.WaitFor(2);
        guest.Bar0.Write(0x00, 1u);
        guest.Intx.Unmask();

        guest.Intx.Count.Should().Be(2);
        guest.Bar0.Read<uint>(0x00).Should().Be(0);
    }

    [Fact]
    public void Msix_is_used_where_the_driver_has_enabled_it()
    {
        Receiver device = new();
        using var guest = TestGuest.Attach(device);
        int control = device.Config.FindCapability(0x11)!.Value + 2;

        guest.Config.Write<ushort>(control, 0x8000);
        device.Receive();

        guest.MsiX[0].WaitFor(1);
        guest.Intx.Count.Should().Be(0);
    }

    [Fact]
    public void A_masked_vector_is_pending_and_delivered_when_unmasked()
    {
        Moderated device = new();
        using var guest = TestGuest.Attach(device);

        guest.MsiX[0].Mask();
        device.Complete(0).Should().BeFalse();
        device.DriverPolls.Should().BeTrue();
        guest.MsiX[0].Count.Should().Be(0);
        guest.Bar0.Read<ulong>(0x1040).Should().Be(1, "the pending bits are right behind the table");
        guest.MsiX[0].Unmask();

        guest.MsiX[0].WaitFor(1);
        device.DriverPolls.Should().BeFalse();
        device.Complete(1).Should().BeTrue();
        guest.MsiX.Disable();
        device.Complete(1).Should().BeFalse();
    }

    [Theory]
    [InlineData(PciIrqTypes.MsiX)]
    [InlineData(PciIrqTypes.Intx)]
    public void Work_that_is_done_interrupts_by_the_kind_that_the_driver_chose(PciIrqTypes types)
    {
        AnyKind device = new();
        using var guest = TestGuest.Attach(device, new TestGuestOptions { EnableInterrupts = false });
        PciFunction driver = guest.StartDriver(types);
        guest.Bar0.Write(0x04, 3u);

        device.Finish(1);
        driver.Interrupts!.TakeAll().Sum().Should().Be(1);
        guest.Bar0.Write(0x00, 2u);

        guest.Intx.ReadIsAsserted().Should().BeFalse();
    }

    [Fact]
    public void Frames_are_told_of_together_and_not_too_often()
    {
        Coalesced device = new();
        using var guest = TestGuest.Attach(device);
        guest.Bar0.Write<ushort>(0x00, ushort.MaxValue);
        guest.Bar0.Write<ushort>(0x04, 3);

        for (int i = 0; i < 3; i++)
            device.Receive();

        guest.MsiX[0].WaitFor(1);
        guest.MsiX[0].Count.Should().Be(1);
    }
}
