using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>
/// What is triggered where the guest has enabled MSI or MSI-X and the client has no eventfd there: QEMU enables MSI-X before
/// the guest has unmasked a vector, and takes all eventfds back to hand in more.
/// </summary>
public class EventFdToComeTests
{
    private const ushort Enable = 0x8000;
    private const IrqSetFlags Trigger = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger;

    private readonly IrqDevice _device = new();

    [Fact]
    public void An_interrupt_between_enabling_the_capability_and_the_eventfd_is_pending_and_then_delivered()
    {
        using TestGuest guest = Attach();
        EnableMsiX(guest);

        _device.MsiX[1].Trigger().Should().BeTrue("it will be delivered");
        _device.MsiX[1].Trigger().Should().BeTrue();

        _device.MsiX[1].IsPending.Should().BeTrue();
        guest.Bar0.Read<byte>(IrqDevice.PendingOffset).Should().Be(0b010);
        guest.MsiX.Enable();
        guest.MsiX.TakeAll().Should().Equal(0, 1, 0);
        guest.Bar0.Read<byte>(IrqDevice.PendingOffset).Should().Be(0);
    }

    [Fact]
    public void No_interrupt_is_lost_while_the_client_binds_eventfds_again()
    {
        using TestGuest guest = Attach();
        EnableMsiX(guest);
        using EventFd first = new(), second = new();
        guest.Set(Trigger, IrqType.MsiX, 0, 1, null, first);

        guest.Set(IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, IrqType.MsiX, 0, 0);
        _device.MsiX[0].Trigger().Should().BeTrue();
        guest.Set(Trigger, IrqType.MsiX, 1, 1);
        _device.MsiX[1].Trigger().Should().BeTrue();
        guest.Set(Trigger, IrqType.MsiX, 0, 2, null, first, second);

        first.Take().Should().Be(1);
        second.Take().Should().Be(1);
    }

    [Fact]
    public void Msi_is_no_different_for_the_vectors_that_the_guest_has_allotted()
    {
        using TestGuest guest = Attach();
        guest.Config.Write(_device.Config.Msi!.Offset + 2, (ushort)0x0011); // two of four

        _device.Msi[1].Trigger().Should().BeTrue();
        _device.Msi[2].Trigger().Should().BeFalse();

        guest.Msi.Enable();
        guest.Msi.TakeAll().Should().Equal(0, 1, 0, 0);
    }

    [Fact]
    public void The_function_mask_still_holds_it_back()
    {
        using TestGuest guest = Attach();
        guest.Config.Write(Control, (ushort)(Enable | 0x4000));
        _device.MsiX[2].Trigger().Should().BeTrue();

        guest.MsiX.Enable();

        guest.MsiX.TakeAll().Should().Equal(0, 0, 0);
        EnableMsiX(guest);
        guest.MsiX.TakeAll().Should().Equal(0, 0, 1);
    }

    [Fact]
    public void Pending_interrupts_that_the_guest_turns_off_are_discarded()
    {
        using TestGuest guest = Attach();
        EnableMsiX(guest);
        _device.MsiX[0].Trigger();

        guest.Config.Write(Control, (ushort)0);

        _device.MsiX[0].IsPending.Should().BeFalse();
        _device.MsiX[0].Trigger().Should().BeFalse();
        EnableMsiX(guest);
        guest.MsiX.Enable();
        guest.MsiX.TakeAll().Should().Equal(0, 0, 0);
    }

    [Fact]
    public void A_reset_and_a_disconnect_drop_a_pending_interrupt()
    {
        using (TestGuest guest = Attach())
        {
            EnableMsiX(guest);
            _device.MsiX[0].Trigger();
            guest.Reset();
            _device.MsiX[0].IsPending.Should().BeFalse();

            EnableMsiX(guest);
            _device.MsiX[0].Trigger();
        }

        _device.MsiX[0].IsPending.Should().BeFalse();
    }

    [Fact]
    public void An_interrupt_of_a_disabled_type_is_not_pending()
    {
        using TestGuest guest = Attach();

        _device.MsiX[0].Trigger().Should().BeFalse();
        _device.Msi[0].Trigger().Should().BeFalse();
        _device.Error.Trigger().Should().BeFalse();

        guest.MsiX.Enable();
        guest.MsiX.TakeAll().Should().Equal(0, 0, 0);
    }

    private long Control => _device.Config.MsiX!.Offset + 2;

    private TestGuest Attach() => TestGuest.Attach(_device, new TestGuestOptions { EnableInterrupts = false });

    private void EnableMsiX(TestGuest guest) => guest.Config.Write(Control, Enable);
}
