using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class IntxTests
{
    private const long Command = 0x04;
    private const long Status = 0x06;
    private const ushort InterruptDisable = 1 << 10;
    private const ushort InterruptStatus = 1 << 3;

    private readonly IrqDevice _device = new();

    [Fact]
    public void Intx_masks_itself_when_delivered()
    {
        using var guest = TestGuest.Attach(_device);

        _device.Intx.Assert().Should().BeTrue();
        _device.Intx.Assert().Should().BeTrue("it will come again");

        guest.Intx.Count.Should().Be(1);
        _device.Intx.IsMasked.Should().BeTrue();
    }

    [Fact]
    public void Intx_is_delivered_again_when_unmasked_while_asserted()
    {
        using var guest = TestGuest.Attach(_device);

        _device.Intx.Assert();
        guest.Intx.Unmask();
        guest.Intx.Unmask();

        guest.Intx.Count.Should().Be(3);
    }

    [Fact]
    public void Intx_is_delivered_again_when_the_unmask_eventfd_is_signalled()
    {
        using var guest = TestGuest.Attach(_device);
        using EventFd handled = new();
        guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionUnmask, IrqType.Intx, 0, 1, null, handled);

        _device.Intx.Assert();
        guest.Intx.WaitFor(1);
        handled.Signal();

        guest.Intx.WaitFor(2);
        guest.Interrupts(IrqType.Intx).Disable();
        OpenFiles.Descriptors(handled).Should().Be(1, "only the client's own is left");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Cause_that_was_removed_unseen_is_not_delivered_again_at_unmask(bool byEventFd)
    {
        bool cause = true;
        _device.Intx.SetResampleHandler(() =>
        {
            if (!Volatile.Read(ref cause))
                _device.Intx.Deassert();
        });
        using var guest = TestGuest.Attach(_device);
        using EventFd handled = new();
        if (byEventFd)
            guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionUnmask, IrqType.Intx, 0, 1, null, handled);
        void Unmask()
        {
            if (byEventFd)
                handled.Signal();
            else
                guest.Intx.Unmask();
        }

        _device.Intx.Assert();
        guest.Intx.WaitFor(1);
        Unmask();
        guest.Intx.WaitFor(2); // the cause is there still
        Volatile.Write(ref cause, false);
        Unmask();
        SpinWait.SpinUntil(() => !_device.Intx.IsAsserted && !_device.Intx.IsMasked, Background.Timeout).Should().BeTrue();

        guest.Intx.Count.Should().Be(2);
    }

    [Fact]
    public void Cause_that_was_removed_unseen_is_not_delivered_to_a_client_that_begins_to_listen()
    {
        _device.Intx.SetResampleHandler(_device.Intx.Deassert);
        using var guest = TestGuest.Attach(_device, new TestGuestOptions { EnableInterrupts = false });

        _device.Intx.Assert();
        guest.Config.Write(Command, InterruptDisable);
        guest.Config.Write(Command, (ushort)0);

        _device.Intx.IsAsserted.Should().BeFalse();
    }

    [Fact]
    public void Intx_is_not_delivered_again_when_deasserted()
    {
        using var guest = TestGuest.Attach(_device);

        _device.Intx.Assert();
        guest.Intx.Count.Should().Be(1);
        _device.Intx.Deassert();
        _device.Intx.IsMasked.Should().BeTrue("the client has still to say that it was handled");
        guest.Intx.Unmask();
        guest.Intx.Count.Should().Be(1);
        _device.Intx.Assert();

        guest.Intx.Count.Should().Be(2);
    }

    [Fact]
    public void Level_deasserted_before_the_client_reads_is_withdrawn()
    {
        using var guest = TestGuest.Attach(_device);

        _device.Intx.Assert();
        _device.Intx.Deassert();

        guest.Intx.Count.Should().Be(0);
        _device.Intx.IsMasked.Should().BeFalse();
        _device.Intx.Assert();
        guest.Intx.Count.Should().Be(1);
    }

    [Fact]
    public void Mask_of_the_client_outlives_a_level_deasserted_before_it_reads()
    {
        using var guest = TestGuest.Attach(_device);

        _device.Intx.Assert();
        guest.Intx.Mask();
        _device.Intx.Deassert();

        _device.Intx.IsMasked.Should().BeTrue();
    }

    [Fact]
    public void A_level_that_rose_and_fell_while_masked_is_not_delivered()
    {
        using var guest = TestGuest.Attach(_device);
        guest.Intx.Mask();

        _device.Intx.Assert();
        _device.Intx.IsPending.Should().BeTrue();
        _device.Intx.Deassert();
        guest.Intx.Unmask();

        _device.Intx.IsPending.Should().BeFalse();
        guest.Intx.Count.Should().Be(0);
    }

    [Fact]
    public void A_level_that_rose_while_masked_is_delivered_once_when_unmasked()
    {
        using var guest = TestGuest.Attach(_device);
        guest.Intx.Mask();

        _device.Intx.Assert();
        guest.Intx.Count.Should().Be(0);
        guest.Intx.Unmask();

        guest.Intx.Count.Should().Be(1);
    }

    [Fact]
    public void The_status_register_shows_the_level_even_if_it_is_masked_or_disabled()
    {
        using var guest = TestGuest.Attach(_device);
        guest.Intx.Mask();
        guest.Config.Write(Command, InterruptDisable);

        _device.Intx.Assert();
        _device.Intx.IsAsserted.Should().BeTrue();
        (guest.Config.Read<ushort>(Status) & InterruptStatus).Should().Be(InterruptStatus);
        _device.Intx.Deassert();

        (guest.Config.Read<ushort>(Status) & InterruptStatus).Should().Be(0);
    }

    [Fact]
    public void A_level_that_the_command_register_disables_is_delivered_once_when_enabled()
    {
        using var guest = TestGuest.Attach(_device);
        guest.Config.Write(Command, InterruptDisable);

        _device.Intx.Assert().Should().BeTrue("it will come");
        guest.Intx.Count.Should().Be(0);
        guest.Config.Write<ushort>(Command, 0);
        guest.Config.Write<ushort>(Command, 0);

        guest.Intx.Count.Should().Be(1);
    }

    [Fact]
    public void A_level_is_delivered_when_neither_mask_nor_command_register_holds_it_back()
    {
        using var guest = TestGuest.Attach(_device);
        guest.Config.Write(Command, InterruptDisable);
        guest.Intx.Mask();
        _device.Intx.Assert();

        guest.Intx.Unmask();
        guest.Intx.Count.Should().Be(0);
        guest.Intx.Mask();
        guest.Config.Write<ushort>(Command, 0);
        guest.Intx.Count.Should().Be(0);
        guest.Intx.Unmask();

        guest.Intx.Count.Should().Be(1);
    }

    [Fact]
    public void A_level_deasserted_while_inhibited_is_not_delivered()
    {
        using var guest = TestGuest.Attach(_device);
        guest.Config.Write(Command, InterruptDisable);

        _device.Intx.Assert();
        _device.Intx.Deassert();
        guest.Config.Write<ushort>(Command, 0);

        guest.Intx.Count.Should().Be(0);
    }

    [Fact]
    public void A_level_asserted_before_the_client_binds_an_eventfd_is_delivered_then()
    {
        _device.Intx.Assert().Should().BeFalse("nobody listens yet");

        using var guest = TestGuest.Attach(_device);

        guest.Intx.Count.Should().Be(1);
        _device.Intx.IsMasked.Should().BeTrue();
    }

    [Fact]
    public void A_level_outlives_the_client_that_did_not_handle_it()
    {
        using (var first = TestGuest.Attach(_device))
        {
            _device.Intx.Assert();
            first.Intx.Count.Should().Be(1);
        }

        using var second = TestGuest.Attach(_device);

        second.Intx.Count.Should().Be(1);
    }

    [Fact]
    public async Task Level_and_status_agree_whatever_threads_do_to_them_at_once()
    {
        using var guest = TestGuest.Attach(_device);
        for (int round = 0; round < 150; round++)
        {
            using Barrier start = new(2);
            await Task.WhenAll(
                Background.Run(() =>
                {
                    start.SignalAndWait();
                    _device.Intx.Assert();
                }),
                Background.Run(() =>
                {
                    start.SignalAndWait();
                    _device.Intx.Deassert();
                })).WaitAsync(Background.Timeout);

            bool status = (_device.Config.Read<ushort>((int)Status) & InterruptStatus) != 0;
            status.Should().Be(_device.Intx.IsAsserted);
            guest.Intx.Unmask();
            int before = guest.Intx.Count;
            guest.Intx.Unmask();
            (guest.Intx.Count - before).Should().Be(_device.Intx.IsAsserted ? 1 : 0, "only a level that stands comes again");
            _device.Intx.Deassert();
            guest.Intx.Unmask();
        }
    }
}
