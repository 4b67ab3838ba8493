using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class SetIrqsTests
{
    private const IrqSetFlags None = IrqSetFlags.DataNone;
    private const IrqSetFlags Bool = IrqSetFlags.DataBool;
    private const IrqSetFlags Fd = IrqSetFlags.DataEventFd;
    private const IrqSetFlags Mask = IrqSetFlags.ActionMask;
    private const IrqSetFlags Unmask = IrqSetFlags.ActionUnmask;
    private const IrqSetFlags Trigger = IrqSetFlags.ActionTrigger;

    private readonly IrqDevice _device = new(msiX: 5);

    [Fact]
    public void None_with_trigger_triggers_the_whole_range()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Set(None | Trigger, IrqType.MsiX, 1, 3);

        Counts(guest).Should().Equal(0, 1, 1, 1, 0);
    }

    [Fact]
    public void Bools_trigger_where_they_are_not_zero()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Set(Bool | Trigger, IrqType.MsiX, 1, 3, [1, 0, 0xFF]);

        Counts(guest).Should().Equal(0, 1, 0, 1, 0);
    }

    [Fact]
    public void Ranges_are_masked_and_unmasked()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Set(None | Mask, IrqType.MsiX, 1, 4);
        Masked().Should().Equal(false, true, true, true, true);
        guest.Set(None | Unmask, IrqType.MsiX, 0, 3);
        Masked().Should().Equal(false, false, false, true, true);
    }

    [Fact]
    public void Bools_mask_and_unmask_where_they_are_not_zero()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Set(Bool | Mask, IrqType.MsiX, 0, 5, [1, 1, 0, 1, 1]);
        Masked().Should().Equal(true, true, false, true, true);
        guest.Set(Bool | Unmask, IrqType.MsiX, 0, 2, [0, 1]);
        Masked().Should().Equal(true, false, false, true, true);
    }

    [Fact]
    public void Eventfds_go_to_their_vectors_in_order()
    {
        using var guest = TestGuest.Attach(_device);
        using EventFd first = new();
        using EventFd second = new();

        guest.Set(Fd | Trigger, IrqType.MsiX, 3, 2, null, first, second);
        _device.MsiX[4].Trigger();

        first.Take().Should().Be(0);
        second.Take().Should().Be(1);
    }

    [Fact]
    public void No_eventfds_take_theirs_from_the_range()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Set(Fd | Trigger, IrqType.MsiX, 1, 2);

        _device.MsiX.Select(irq => irq.Trigger()).Should().Equal(true, false, false, true, true);
        Counts(guest).Should().Equal(1, 0, 0, 1, 1);
    }

    [Fact]
    public void Count_zero_disables_the_type_and_no_other()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Set(None | Trigger, IrqType.MsiX, 0, 0);

        _device.MsiX.Should().OnlyContain(irq => !irq.IsEnabled);
        _device.Msi.Should().OnlyContain(irq => irq.IsEnabled);
        _device.Intx.IsEnabled.Should().BeTrue();
    }

    [Fact]
    public void A_new_eventfd_replaces_the_old_one_which_is_closed()
    {
        using var guest = TestGuest.Attach(_device);
        using EventFd old = new();
        using EventFd fresh = new();
        guest.Set(Fd | Trigger, IrqType.MsiX, 0, 1, null, old);
        OpenFiles.Descriptors(old).Should().Be(2);

        guest.Set(Fd | Trigger, IrqType.MsiX, 0, 1, null, fresh);
        _device.MsiX[0].Trigger();

        OpenFiles.Descriptors(old).Should().Be(1);
        old.Take().Should().Be(0);
        fresh.Take().Should().Be(1);
    }

    [Fact]
    public void One_eventfd_can_serve_several_vectors()
    {
        using var guest = TestGuest.Attach(_device);
        using EventFd shared = new();

        guest.Set(Fd | Trigger, IrqType.MsiX, 0, 2, null, shared, shared);
        _device.MsiX[0].Trigger();
        _device.MsiX[1].Trigger();

        shared.Take().Should().Be(2);
        guest.MsiX.Disable();
        OpenFiles.Descriptors(shared).Should().Be(1);
    }

    [Fact]
    public void Two_thousand_vectors_get_their_eventfds_in_pieces()
    {
        IrqDevice device = new(msiX: 2048);
        using var guest = TestGuest.Attach(device);
        guest.Client.Limits.MaxFdsToSend.Should().BeLessThan(2048);

        foreach (int vector in new[] { 0, 15, 16, 17, 1000, 2047 })
            device.MsiX[vector].Trigger().Should().BeTrue();

        guest.MsiX.Select((irq, vector) => irq.Count == 1 ? vector : -1).Where(vector => vector >= 0)
            .Should().Equal(0, 15, 16, 17, 1000, 2047);
    }

    [Theory]
    [InlineData(None | Trigger, IrqType.MsiX, 5, 1)]
    [InlineData(None | Trigger, IrqType.MsiX, 0, 6)]
    [InlineData(None | Trigger, IrqType.MsiX, 1, 0)]
    [InlineData(None | Trigger, IrqType.MsiX, uint.MaxValue, 2)]
    [InlineData(None | Trigger, IrqType.MsiX, 1, uint.MaxValue)]
    [InlineData(None | Mask, IrqType.MsiX, 0, 0)]
    [InlineData(None | Mask, IrqType.Error, 0, 1)]
    [InlineData(None | Unmask, IrqType.Request, 0, 1)]
    [InlineData(None | Bool | Trigger, IrqType.MsiX, 0, 1)]
    [InlineData(None | Mask | Unmask, IrqType.MsiX, 0, 1)]
    [InlineData(None, IrqType.MsiX, 0, 1)]
    [InlineData(Trigger, IrqType.MsiX, 0, 1)]
    [InlineData(None | Trigger | (IrqSetFlags)0x40, IrqType.MsiX, 0, 1)]
    [InlineData(None | Trigger, (IrqType)5, 0, 1)]
    [InlineData(None | Trigger, (IrqType)(-1), 0, 1)]
    public void Invalid_commands_are_refused_and_change_nothing(IrqSetFlags flags, IrqType type, uint start, uint count)
    {
        using var guest = TestGuest.Attach(_device);

        Refused(guest, flags, type, start, count);

        Counts(guest).Should().Equal(0, 0, 0, 0, 0);
        Masked().Should().NotContain(true);
        _device.MsiX.Should().OnlyContain(irq => irq.IsEnabled);
    }

    [Fact]
    public void The_data_must_fit_the_count()
    {
        using var guest = TestGuest.Attach(_device);
        using EventFd eventFd = new();

        Refused(guest, Bool | Trigger, IrqType.MsiX, 0, 2, [1]);
        Refused(guest, Bool | Trigger, IrqType.MsiX, 0, 2, [1, 1, 1]);
        Refused(guest, None | Trigger, IrqType.MsiX, 0, 2, [1, 1]);
        Refused(guest, Fd | Trigger, IrqType.MsiX, 0, 2, null, eventFd);
        Refused(guest, Fd | Trigger, IrqType.MsiX, 0, 1, null, eventFd, eventFd);

        Counts(guest).Should().Equal(0, 0, 0, 0, 0);
        OpenFiles.Descriptors(eventFd).Should().Be(1, "the server has closed what it did not want");
    }

    private static void Refused(TestGuest guest, IrqSetFlags flags, IrqType type, uint start, uint count, byte[]? bools = null, params EventFd[] fds) =>
        guest.Invoking(it => it.Set(flags, type, start, count, bools, fds)).Should().Throw<VfioUserException>()
            .Which.Errno.Should().Be(Errno.EINVAL);

    private static int[] Counts(TestGuest guest) => [.. guest.MsiX.Select(irq => irq.Count)];

    private bool[] Masked() => [.. _device.MsiX.Select(irq => irq.IsMasked)];
}
