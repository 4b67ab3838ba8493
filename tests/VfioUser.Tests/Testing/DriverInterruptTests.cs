using VfioUser.Testing;

namespace VfioUser.Tests;

public class DriverInterruptTests
{
    private static readonly TestGuestOptions AsAMachineStarts = new() { EnableInterrupts = false };

    [Fact]
    public void A_driver_gets_msix_if_there_is_any()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device, AsAMachineStarts);
        device.MsiX[0].Trigger().Should().BeFalse("nobody has enabled anything yet");

        PciFunction function = guest.StartDriver();

        function.Interrupts.Should().BeSameAs(guest.MsiX);
        (device.Config.MsiX!.IsEnabled, device.Config.MsiX.IsFunctionMasked, device.Config.Msi!.IsEnabled).Should().Be((true, false, false));
        function.ReadCommand().Should().Be(PciCommands.InterruptDisable | PciCommands.BusMaster | PciCommands.MemorySpace);
        device.MsiX[2].Trigger().Should().BeTrue();
        device.Msi[0].Trigger().Should().BeFalse();
        guest.MsiX.TakeAll().Should().Equal(0, 0, 1);
    }

    [Theory]
    [InlineData(8, 4)]
    [InlineData(3, 2)]
    [InlineData(1, 1)]
    public void A_driver_gets_a_power_of_two_of_msi_vectors(int max, int expected)
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);

        GuestInterrupts msi = guest.Enumerate().AllocateIrqVectors(max: max, types: PciIrqTypes.Msi | PciIrqTypes.Intx);

        msi.Type.Should().Be(IrqType.Msi);
        msi.EnabledCount.Should().Be(expected);
        device.Config.Msi!.EnabledVectors.Should().Be(expected);
        device.Msi[expected - 1].Trigger().Should().BeTrue();
        if (expected < 4)
            device.Msi[expected].Trigger().Should().BeFalse();
        device.MsiX[0].Trigger().Should().BeFalse();
    }

    [Fact]
    public void A_driver_can_use_intx()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device, AsAMachineStarts);

        guest.StartDriver(PciIrqTypes.Intx).Interrupts!.Type.Should().Be(IrqType.Intx);
        device.Intx.Assert().Should().BeTrue();

        guest.Intx.Service(() => device.Intx.Deassert());
        guest.Intx.ReadIsAsserted().Should().BeFalse();
    }

    [Fact]
    public void A_request_for_too_many_vectors_throws_with_their_number()
    {
        using var guest = TestGuest.Attach(new IrqDevice());
        PciFunction function = guest.Enumerate();

        function.Invoking(it => it.AllocateIrqVectors(min: 5)).Should().Throw<TestGuestException>()
            .WithMessage("5 vectors of All were wanted, and the device has 3 of MSI-X, 4 of MSI, and INTx.");
        function.AllocateIrqVectors(min: 4).Type.Should().Be(IrqType.Msi, "MSI-X has too few");
    }

    [Fact]
    public void Freed_vectors_interrupt_no_more()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        PciFunction function = guest.StartDriver();

        function.FreeIrqVectors();

        function.Interrupts.Should().BeNull();
        device.Config.MsiX!.IsEnabled.Should().BeFalse();
        device.MsiX[0].Trigger().Should().BeFalse();
        guest.StartDriver(PciIrqTypes.None).Interrupts.Should().BeNull();
    }

    [Fact]
    public void An_interrupt_is_taken_once()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        device.MsiX[1].Trigger();
        device.MsiX[1].Trigger();

        guest.MsiX.TakeAll().Should().Equal(0, 2, 0);
        guest.MsiX.TakeAll().Should().Equal(0, 0, 0);
        device.MsiX[1].Trigger();
        guest.MsiX[1].WaitForNext();

        guest.MsiX[1].Take().Should().Be(0);
        guest.MsiX[1].Count.Should().Be(3, "the total goes on");
        guest.MsiX.ExpectNone();
    }

    [Fact]
    public void Each_wait_takes_one_interrupt()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device, new TestGuestOptions { Timeout = TimeSpan.FromMilliseconds(200) });
        device.MsiX[0].Trigger();
        device.MsiX[0].Trigger();

        guest.MsiX[0].WaitForNext();
        guest.MsiX[0].WaitForNext();

        guest.MsiX[0].Invoking(irq => irq.WaitForNext()).Should().Throw<TestGuestException>()
            .WithMessage("MsiX vector 0 did not come again: 2 times in all, and 2 were taken*");
    }

    [Fact]
    public void An_unexpected_interrupt_is_reported()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.MsiX.ExpectNone();
        device.MsiX[2].Trigger();

        guest.MsiX.Invoking(irqs => irqs.ExpectNone()).Should().Throw<TestGuestException>().WithMessage("MsiX vector 2 came 1 times*");
        guest.MsiX.ExpectNone();
    }

    [Fact]
    public void An_interrupt_of_a_thread_is_noticed_while_none_is_expected()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        Task trigger = Background.Run(() => device.MsiX[0].Trigger().Should().BeTrue());

        guest.MsiX[0].Invoking(irq => irq.ExpectNone(Background.Timeout)).Should().Throw<TestGuestException>();

        trigger.MustEnd("it has triggered");
    }

    [Fact]
    public async Task A_test_can_wait_for_an_interrupt_and_act_meanwhile()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);

        Task three = guest.MsiX[0].WaitForAsync(3);
        for (int i = 0; i < 3; i++)
            device.MsiX[0].Trigger();

        await three.WaitAsync(Background.Timeout);
    }

    [Fact]
    public void Intx_whose_cause_stays_is_reported()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        device.Intx.Assert();
        guest.Intx.ReadIsAsserted().Should().BeTrue();

        guest.Intx.Invoking(pin => pin.Service(() => { })).Should().Throw<TestGuestException>().WithMessage("*still asserted*");

        guest.Intx.WaitForNext();
    }

    [Fact]
    public void A_vector_that_the_device_does_not_have_is_the_tests_mistake()
    {
        using var guest = TestGuest.Attach(new BlankDevice());

        guest.Invoking(it => it.Intx).Should().Throw<ArgumentOutOfRangeException>().WithMessage("BlankDevice has 0 Intx vectors*");
    }
}
