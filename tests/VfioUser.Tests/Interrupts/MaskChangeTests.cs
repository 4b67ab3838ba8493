using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class MaskChangeTests
{
    private readonly List<(IrqType Type, int Vector, bool Masked)> _seen = [];

    [Theory]
    [InlineData(IrqType.Intx)]
    [InlineData(IrqType.Msi)]
    [InlineData(IrqType.MsiX)]
    public void The_device_is_notified_of_masking_and_unmasking(IrqType type)
    {
        IrqDevice device = new();
        Listen(device.All(type));
        using var guest = TestGuest.Attach(device);

        guest.Interrupts(type)[0].Mask();
        guest.Interrupts(type)[0].Mask();
        guest.Interrupts(type)[0].Unmask();

        _seen.Should().Equal((type, 0, true), (type, 0, false));
    }

    [Fact]
    public void The_device_is_notified_of_each_vector_of_a_range()
    {
        IrqDevice device = new();
        Listen(device.Msi);
        using var guest = TestGuest.Attach(device);

        guest.Set(IrqSetFlags.DataNone | IrqSetFlags.ActionMask, IrqType.Msi, start: 1, count: 2);

        _seen.Should().Equal((IrqType.Msi, 1, true), (IrqType.Msi, 2, true));
    }

    [Fact]
    public void A_pending_interrupt_is_delivered_before_the_unmask_notification()
    {
        IrqDevice device = new();
        List<int> counts = [];
        GuestIrq? seen = null;
        device.MsiX[0].AddMaskChangeHandler(_ => counts.Add(seen!.Count));
        using var guest = TestGuest.Attach(device);
        seen = guest.MsiX[0];
        seen.Mask();
        device.MsiX[0].Trigger();

        seen.Unmask();

        counts.Should().Equal(0, 1);
    }

    [Fact]
    public void Automasking_a_reset_and_a_disconnect_are_not_notified()
    {
        IrqDevice device = new();
        Listen(device.All(IrqType.Intx));
        Listen(device.MsiX);
        using (var guest = TestGuest.Attach(device))
        {
            device.Intx.Assert();
            guest.MsiX[0].Mask();
            guest.Reset();
            guest.MsiX[1].Mask();
        }

        _seen.Should().Equal((IrqType.MsiX, 0, true), (IrqType.MsiX, 1, true));
    }

    [Fact]
    public void A_handler_that_throws_fails_the_command_and_the_mask_stands()
    {
        IrqDevice device = new();
        device.MsiX[0].AddMaskChangeHandler(_ => throw new InvalidOperationException("mask"));
        using var guest = TestGuest.Attach(device);

        guest.MsiX[0].Invoking(it => it.Mask()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EIO);

        device.MsiX[0].IsMasked.Should().BeTrue();
        device.MsiX[1].Trigger();
        guest.MsiX[1].Count.Should().Be(1);
    }

    [Fact]
    public async Task A_handler_that_throws_while_an_eventfd_unmasks_is_logged_and_the_eventfd_stays_watched()
    {
        IrqDevice device = new();
        TaskCompletionSource<Exception> told = new(TaskCreationOptions.RunContinuationsAsynchronously);
        device.Intx.AddMaskChangeHandler(_ => throw new InvalidOperationException("unmask"));
        using var guest = TestGuest.Attach(device, new TestGuestOptions
        {
            Server = new VfioUserServerOptions { OnDeviceException = context => told.TrySetResult(context.Exception) },
        });
        using EventFd handled = new();
        guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionUnmask, IrqType.Intx, start: 0, count: 1, bools: null, handled);
        device.Intx.Assert();

        handled.Signal();

        (await told.Task.WaitAsync(Background.Timeout)).Message.Should().Be("unmask");
        guest.Intx.WaitFor(2);
        handled.Signal();
        guest.Intx.WaitFor(3);
    }

    [Fact]
    public void A_second_handler_is_called_after_the_first()
    {
        IrqDevice device = new();
        List<string> calls = [];
        device.MsiX[0].AddMaskChangeHandler(masked => calls.Add($"first {masked}"));
        device.MsiX[0].AddMaskChangeHandler(masked => calls.Add($"second {masked}"));
        using var guest = TestGuest.Attach(device);

        guest.MsiX[0].Mask();

        calls.Should().Equal("first True", "second True");
    }

    [Fact]
    public void A_handler_cannot_be_added_while_served()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);

        device.Invoking(it => it.MsiX[0].AddMaskChangeHandler(_ => { })).Should().Throw<InvalidOperationException>();
    }

    private void Listen(IEnumerable<Irq> irqs)
    {
        foreach (Irq irq in irqs)
            irq.AddMaskChangeHandler(masked => _seen.Add((irq.Type, irq.Vector, masked)));
    }
}
