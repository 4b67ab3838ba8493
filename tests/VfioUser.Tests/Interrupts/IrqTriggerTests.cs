using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class IrqTriggerTests
{
    [Theory]
    [InlineData(IrqType.Intx, 0)]
    [InlineData(IrqType.Msi, 0)]
    [InlineData(IrqType.Msi, 3)]
    [InlineData(IrqType.MsiX, 0)]
    [InlineData(IrqType.MsiX, 2)]
    [InlineData(IrqType.Error, 0)]
    [InlineData(IrqType.Request, 0)]
    public void A_trigger_arrives_at_its_vector_and_no_other(IrqType type, int vector)
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        Irq irq = device.All(type)[vector];

        irq.Trigger().Should().BeTrue();

        irq.Type.Should().Be(type);
        irq.Vector.Should().Be(vector);
        foreach (IrqType other in Enum.GetValues<IrqType>())
        {
            for (int i = 0; i < guest.Interrupts(other).Count; i++)
                guest.Interrupts(other)[i].Count.Should().Be(other == type && i == vector ? 1 : 0);
        }
    }

    [Theory]
    [InlineData(IrqType.Intx, 1, IrqInfoFlags.EventFd | IrqInfoFlags.Maskable | IrqInfoFlags.AutoMasked)]
    [InlineData(IrqType.Msi, 4, IrqInfoFlags.EventFd | IrqInfoFlags.Maskable)]
    [InlineData(IrqType.MsiX, 3, IrqInfoFlags.EventFd | IrqInfoFlags.Maskable)]
    [InlineData(IrqType.Error, 1, IrqInfoFlags.EventFd)]
    [InlineData(IrqType.Request, 1, IrqInfoFlags.EventFd)]
    public void Get_irq_info_has_count_and_flags(IrqType type, uint count, IrqInfoFlags flags)
    {
        using var guest = TestGuest.Attach(new IrqDevice());

        IrqInfo info = guest.Client.GetIrqInfo((uint)type);

        info.Count.Should().Be(count);
        (info.Flags & (IrqInfoFlags.EventFd | IrqInfoFlags.Maskable | IrqInfoFlags.AutoMasked)).Should().Be(flags);
    }

    [Fact]
    public void Every_trigger_of_a_message_interrupt_counts()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);

        for (int i = 0; i < 10; i++)
            device.MsiX[1].Trigger().Should().BeTrue();

        guest.MsiX[1].Count.Should().Be(10);
        device.MsiX[1].Trigger();
        guest.MsiX[1].WaitFor(11);
        guest.MsiX[1].Count.Should().Be(11);
    }

    [Fact]
    public void A_trigger_without_a_client_has_no_effect()
    {
        IrqDevice device = new();

        device.MsiX[0].Trigger().Should().BeFalse();
        device.Intx.Assert().Should().BeFalse();
        device.MsiX[0].IsEnabled.Should().BeFalse();
        device.MsiX[0].IsPending.Should().BeFalse();
    }

    [Fact]
    public void A_disconnect_closes_the_eventfds()
    {
        IrqDevice device = new();
        using EventFd eventFd = new();
        using (var guest = TestGuest.Attach(device))
        {
            guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, IrqType.MsiX, 0, 1, null, eventFd);
            guest.MsiX[1].Mask();
            device.MsiX[1].Trigger().Should().BeTrue();
            OpenFiles.Descriptors(eventFd).Should().Be(2);
        }

        OpenFiles.Descriptors(eventFd).Should().Be(1);
        device.MsiX.Should().OnlyContain(irq => !irq.IsEnabled && !irq.IsMasked && !irq.IsPending);
        device.MsiX[0].Trigger().Should().BeFalse();
        eventFd.Take().Should().Be(0);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(3)]
    public void Vector_that_is_not_there_is_named(int vector)
    {
        using IrqDevice device = new();

        device.Invoking(it => it.MsiX[vector]).Should().Throw<ArgumentOutOfRangeException>().WithMessage("The device has 3 vectors of MsiX, counted from 0.*");
    }

    [Fact]
    public async Task Triggers_from_many_threads_are_all_counted()
    {
        const int Threads = 4;
        const int Each = 5000;
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);

        await Task.WhenAll(Enumerable.Range(0, Threads).Select(_ => Background.Run(() =>
        {
            for (int i = 0; i < Each; i++)
                device.MsiX[i % 3].Trigger();
        }))).WaitAsync(Background.Timeout);

        guest.MsiX.Sum(irq => irq.Count).Should().Be(Threads * Each);
    }

    [Fact]
    public async Task Triggers_go_on_while_the_client_replaces_and_removes_the_eventfd()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        using CancellationTokenSource done = new();
        using EventFd first = new();
        using EventFd second = new();
        Irq irq = device.MsiX[0];
        Task<long>[] triggers = [.. Enumerable.Range(0, 2).Select(_ => Background.Run(() =>
        {
            long delivered = 0;
            while (!done.IsCancellationRequested)
                delivered += irq.Trigger() ? 1 : 0;
            return delivered;
        }))];

        guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, IrqType.MsiX, 0, 1);
        ulong before = (ulong)guest.MsiX[0].Count;
        for (int i = 0; i < 300; i++)
        {
            guest.Set(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, IrqType.MsiX, 0, 1, null, i % 2 == 0 ? first : second);
            if (i % 10 == 0)
                guest.Set(IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, IrqType.MsiX, 0, 0);
        }
        await done.CancelAsync();
        long[] delivered = await Task.WhenAll(triggers).WaitAsync(Background.Timeout);

        (first.Take() + second.Take() + before).Should().Be((ulong)delivered.Sum(), "each trigger went to exactly one of them");
    }

    [Fact]
    public void A_trigger_allocates_nothing()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        for (int i = 0; i < 100; i++)
            device.MsiX[0].Trigger();

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            device.MsiX[0].Trigger();

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    [Fact]
    public void Types_that_the_device_lacks_have_no_vectors()
    {
        using var guest = TestGuest.Attach(new BlankDevice());

        guest.Client.GetIrqInfo((uint)IrqType.MsiX).Count.Should().Be(0);
        guest.MsiX.Count.Should().Be(0);
        guest.Invoking(it => it.Set(IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, IrqType.MsiX, 0, 0))
            .Should().Throw<Client.VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
    }
}
