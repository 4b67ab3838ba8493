using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class IrqMaskTests
{
    [Theory]
    [InlineData(IrqType.Msi)]
    [InlineData(IrqType.MsiX)]
    public void A_vector_triggered_while_masked_is_delivered_once_when_unmasked(IrqType type)
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        Irq irq = device.All(type)[1];
        GuestIrq seen = guest.Interrupts(type)[1];

        seen.Mask();
        irq.IsMasked.Should().BeTrue();
        for (int i = 0; i < 3; i++)
            irq.Trigger().Should().BeTrue("it will be delivered");
        seen.Count.Should().Be(0);
        irq.IsPending.Should().BeTrue();
        seen.Unmask();

        seen.Count.Should().Be(1);
        irq.IsMasked.Should().BeFalse();
        irq.IsPending.Should().BeFalse();
        irq.Trigger();
        seen.Count.Should().Be(2);
    }

    [Fact]
    public void Unmasking_without_a_trigger_delivers_nothing()
    {
        using var guest = TestGuest.Attach(new IrqDevice());

        guest.MsiX[0].Mask();
        guest.MsiX[0].Unmask();
        guest.MsiX[0].Unmask();
        guest.Intx.Unmask();

        guest.MsiX[0].Count.Should().Be(0);
        guest.Intx.Count.Should().Be(0);
    }

    [Fact]
    public void Restored_interrupts_wait_for_an_eventfd_whatever_is_unmasked_before()
    {
        IrqDevice device = new();
        device.Config.Write<ushort>(0x04, 0x0004); // bus mastering
        Irq irq = device.All(IrqType.MsiX)[0];
        irq.RestoreState(1);

        irq.Unmask();
        irq.RetryDelivery();
        irq.IsPending.Should().BeTrue();
        EventFd listening = new();
        irq.SetTrigger(listening);

        irq.IsPending.Should().BeFalse();
        listening.Take().Should().Be(1);
        irq.Disable();
    }

    [Fact]
    public void Disabling_a_type_forgets_masks_and_what_is_pending()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.MsiX[0].Mask();
        device.MsiX[0].Trigger();

        guest.MsiX.Disable();
        guest.MsiX.Enable();

        device.MsiX[0].IsMasked.Should().BeFalse();
        device.MsiX[0].IsPending.Should().BeFalse();
        guest.MsiX[0].Count.Should().Be(0);
    }

    [Fact]
    public void A_reset_forgets_masks_and_what_is_pending_and_keeps_the_eventfds()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.MsiX[0].Mask();
        device.MsiX[0].Trigger();
        device.Intx.Assert();

        guest.Reset();

        device.MsiX[0].IsPending.Should().BeFalse();
        device.Intx.IsAsserted.Should().BeFalse();
        device.MsiX[0].Trigger().Should().BeTrue();
        guest.MsiX[0].Count.Should().Be(1);
        guest.Intx.Count.Should().Be(0, "the level has gone before the client looked");
    }

    [Fact]
    public void Mask_and_unmask_eventfds_are_signalled()
    {
        using var guest = TestGuest.Attach(new IrqDevice());
        using EventFd masked = new();
        using EventFd unmasked = new();
        guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionMask, IrqType.MsiX, 2, 1, null, masked);
        guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionUnmask, IrqType.MsiX, 2, 1, null, unmasked);

        guest.MsiX[2].Mask();
        masked.Take().Should().Be(1);
        unmasked.Take().Should().Be(0);
        guest.MsiX[2].Unmask();
        unmasked.Take().Should().Be(1);

        OpenFiles.Descriptors(masked).Should().Be(2);
        guest.MsiX.Disable();
        OpenFiles.Descriptors(masked).Should().Be(1);
        OpenFiles.Descriptors(unmasked).Should().Be(1);
    }

    [Fact]
    public async Task No_trigger_is_lost_between_masking_and_unmasking()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        GuestIrq seen = guest.MsiX[0];
        for (int round = 0; round < 60; round++)
        {
            int before = seen.Count;
            seen.Mask();
            Task trigger = Background.Run(() => device.MsiX[0].Trigger());

            seen.Unmask();

            await trigger.WaitAsync(Background.Timeout);
            seen.Count.Should().Be(before + 1);
        }
    }
}
