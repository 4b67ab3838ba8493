using FluentAssertions;
using VfioUser.Testing;
using Xunit;

namespace VfioUser.Tests;

public class DeviceInterruptsTests
{
    private readonly Card _card = new();

    [Theory]
    [InlineData(PciIrqTypes.MsiX, IrqType.MsiX)]
    [InlineData(PciIrqTypes.Msi, IrqType.Msi)]
    [InlineData(PciIrqTypes.Intx, IrqType.Intx)]
    public void The_driver_chooses_the_kind(PciIrqTypes wanted, IrqType type)
    {
        using TestGuest guest = TestGuest.Attach(_card, new TestGuestOptions { EnableInterrupts = false });
        PciFunction driver = guest.StartDriver(wanted);

        _card.Finish(2).Should().BeTrue();

        _card.Interrupts.Type.Should().Be(type);
        int[] expected = type == IrqType.Intx ? [1] : type == IrqType.Msi ? [0, 0, 1, 0, 0, 0, 0, 0] : [0, 0, 1, 0, 0];
        driver.Interrupts!.TakeAll().Should().Equal(expected);
        guest.Interrupts(IrqType.Intx).EnabledCount.Should().Be(type == IrqType.Intx ? 1 : 0);
    }

    [Theory]
    [InlineData(1, new[] { 5, 0, 0, 0, 0, 0, 0, 0 })]
    [InlineData(4, new[] { 2, 1, 1, 1, 0, 0, 0, 0 })]
    [InlineData(8, new[] { 1, 1, 1, 1, 1, 0, 0, 0 })]
    public void Vectors_share_what_the_guest_allots(int allotted, int[] expected)
    {
        using TestGuest guest = TestGuest.Attach(_card, new TestGuestOptions { EnableInterrupts = false });
        PciFunction driver = guest.Enumerate();
        driver.Enable();
        driver.AllocateIrqVectors(max: allotted, types: PciIrqTypes.Msi);

        for (int vector = 0; vector < 5; vector++)
            _card.Finish(vector);

        for (int i = 0; i < expected.Length; i++)
            guest.Msi[i].Count.Should().Be(expected[i]);
    }

    [Theory]
    [InlineData(IrqType.MsiX)]
    [InlineData(IrqType.Msi)]
    public void Test_that_waits_for_a_kind_that_is_not_enabled_is_told_so(IrqType type)
    {
        using TestGuest guest = TestGuest.Attach(_card, new TestGuestOptions { Timeout = TimeSpan.FromMilliseconds(50), LeaseTimeout = TimeSpan.FromMilliseconds(50) });
        _card.Finish(0);

        guest.Interrupts(type)[0].Invoking(it => it.WaitForNext()).Should().Throw<TestGuestException>().WithMessage($"*The driver has not enabled {type}: StartDriver does.*");
        guest.Interrupts(type)[0].Invoking(it => it.WaitFor(1)).Should().Throw<TestGuestException>().WithMessage("*StartDriver*");
    }

    [Fact]
    public void Intx_follows_the_cause()
    {
        using TestGuest guest = TestGuest.Attach(_card, new TestGuestOptions { EnableInterrupts = false });
        guest.StartDriver(PciIrqTypes.Intx);

        _card.Finish(0);
        _card.Finish(3);
        guest.Bar0.Write(0, 1u << 0);
        guest.Intx.ReadIsAsserted().Should().BeTrue("one cause is left");
        guest.Intx.Service(() => guest.Bar0.Write(0, 1u << 3));

        guest.Intx.ReadIsAsserted().Should().BeFalse();
    }

    [Fact]
    public void A_driver_that_changes_the_kind_takes_the_level_along()
    {
        using TestGuest guest = TestGuest.Attach(_card, new TestGuestOptions { EnableInterrupts = false });
        PciFunction driver = guest.StartDriver(PciIrqTypes.Intx);
        _card.Finish(1);

        driver.AllocateIrqVectors(types: PciIrqTypes.MsiX);
        guest.Intx.ReadIsAsserted().Should().BeFalse("a function with MSI-X enabled asserts no INTx");
        driver.AllocateIrqVectors(types: PciIrqTypes.Intx);

        guest.Intx.ReadIsAsserted().Should().BeTrue("the cause is there still");
    }

    [Fact]
    public void A_cause_that_is_cleared_without_an_update_is_not_delivered_again()
    {
        using TestGuest guest = TestGuest.Attach(_card, new TestGuestOptions { EnableInterrupts = false });
        guest.StartDriver(PciIrqTypes.Intx);
        _card.Finish(1);
        guest.Intx.WaitForNext();

        _card.Causes.Value = 0; // as if in guest memory: nobody calls Update
        guest.Intx.Unmask();

        guest.Intx.ReadIsAsserted().Should().BeFalse();
        guest.Intx.Count.Should().Be(1);
    }

    [Fact]
    public void A_reset_deasserts_and_a_migration_carries_the_level()
    {
        using TestGuest guest = TestGuest.Attach(_card, new TestGuestOptions { EnableInterrupts = false });
        guest.StartDriver(PciIrqTypes.Intx);
        _card.Finish(1);
        Card target = new();
        using TestGuest moved = guest.MigrateTo(target);
        moved.Intx.ReadIsAsserted().Should().BeTrue();

        moved.Bar0.Write(0, 1u << 1);
        moved.Intx.ReadIsAsserted().Should().BeFalse();
        target.Finish(1);
        moved.Reset();

        moved.Intx.ReadIsAsserted().Should().BeFalse();
    }

    [Fact]
    public void Misuse_is_refused()
    {
        BlankDevice device = new();
        Bar other = new BlankDevice().AddBar(0, BarKind.Memory32, 0x1000);

        foreach (DeviceInterruptOptions wrong in (DeviceInterruptOptions[])
        [
            new() { Msi = false }, new() { Vectors = 0 }, new() { Vectors = 2049 }, new() { MsiXBar = other },
            new() { MsiXOffset = 0x800 }, new() { MsiX = new() { PendingOffset = 0x800 } }, new() { Msi = false, MsiPerVectorMask = true, HasCause = () => false },
        ])
        {
            device.Invoking(it => it.AddInterrupts(wrong)).Should().Throw<ArgumentException>();
        }
        device.Invoking(it => it.AddInterrupts(new() { MsiXOffset = 0x800 })).Should().Throw<ArgumentException>().WithMessage("*no effect without MsiXBar*");
        device.Invoking(it => it.AddInterrupts(new() { Vectors = 0 })).Should().Throw<ArgumentException>().WithMessage("Vectors is 1 to 2048*");
        _card.Invoking(card => card.Interrupts.Trigger(5)).Should().Throw<ArgumentOutOfRangeException>();
        _card.Invoking(card => card.Interrupts.Trigger(-1)).Should().Throw<ArgumentOutOfRangeException>();
        _card.Invoking(card => card.AddIntx()).Should().Throw<InvalidOperationException>();
    }

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(Vendor: 0x1B36, Device: 0x00F1), PciClass.Other)
        {
            Bar bar = AddBar(0, BarKind.Memory32, 0x1000);
            Interrupts = AddInterrupts(new() { Vectors = 5, MsiXBar = bar, MsiXOffset = 0x800, HasCause = () => Causes!.Value != 0 });
            Causes = bar.AddRegister<uint>(0, new() { Access = RegisterAccess.WriteOneToClear, OnWrite = _ => Interrupts.Update() });
            EnableMigration();
        }

        public DeviceInterrupts Interrupts { get; }

        public Register<uint> Causes { get; }

        public bool Finish(int work)
        {
            Causes.SetBits(1u << work);
            return Interrupts.Trigger(work);
        }
    }
}
