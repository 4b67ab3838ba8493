using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests.Quiesce;

/// <summary>Eventfds and doorbells of a device that migration stops: nothing is handled meanwhile, and nothing is lost.</summary>
public sealed class NotifiersWhileStoppedTests
{
    private const long IoEventFdOffset = 0x10;
    private const long Other = 0x20;
    private const long Page = 0x1000;

    [Fact]
    public void Doorbells_written_before_a_stop_are_handled_before_it()
    {
        using ManualResetEventSlim stuck = new(), rung = new();
        IoEventFdDevice device = new(d =>
        {
            d.Bar.AddIoEventFd(IoEventFdOffset, rung.Set);
            d.Bar.AddIoEventFd(Other, () =>
            {
                stuck.Set();
                rung.MustComeSoon("the thread that watches is here, so the command thread must look");
            });
        });
        using TestGuest guest = TestGuest.Attach(device);

        guest.Bar0.Ring(Other, 1u);
        stuck.MustComeSoon("it was rung");
        guest.Bar0.Ring(IoEventFdOffset, 1u);
        guest.Migration.SetState(MigrationState.Stop);

        rung.IsSet.Should().BeTrue();
    }

    [Theory]
    [InlineData(NotificationMode.Threaded)]
    [InlineData(NotificationMode.Polling)]
    public void Doorbells_written_while_stopped_are_handled_when_the_device_runs_again(NotificationMode mode)
    {
        using SemaphoreSlim rung = new(0);
        RegionIoEventFd? ioEventFd = null;
        IoEventFdDevice device = new(d => ioEventFd = d.Bar.AddIoEventFd(IoEventFdOffset, () => rung.Release(), new IoEventFdOptions { Mode = mode }));
        using TestGuest guest = TestGuest.Attach(device);
        guest.Bar0.Ring(IoEventFdOffset, 1u);
        guest.Migration.SetState(MigrationState.StopCopy);
        if (mode == NotificationMode.Threaded)
            rung.Wait(Background.Timeout).Should().BeTrue();

        guest.Bar0.Ring(IoEventFdOffset, 1u);
        ioEventFd!.Poll().Should().BeFalse();
        ioEventFd.Poll().Should().BeFalse();
        rung.CurrentCount.Should().Be(0);
        guest.Migration.SetState(MigrationState.Running);

        if (mode == NotificationMode.Polling)
            ioEventFd.Poll().Should().BeTrue();
        rung.Wait(Background.Timeout).Should().BeTrue();
        ioEventFd.Poll().Should().BeFalse();
    }

    [Fact]
    public void A_reset_discards_signals_that_arrived_while_stopped()
    {
        int rung = 0;
        RegionIoEventFd? ioEventFd = null;
        using TestGuest guest = TestGuest.Attach(new IoEventFdDevice(d => ioEventFd = d.Bar.AddIoEventFd(IoEventFdOffset, () => rung++, Polling)));
        guest.Bar0.Ring(IoEventFdOffset, 1u);
        ioEventFd!.Poll().Should().BeTrue();
        guest.Migration.SetState(MigrationState.Stop);

        guest.Bar0.Ring(IoEventFdOffset, 1u);
        ioEventFd.Poll().Should().BeFalse();
        guest.Reset();
        ioEventFd.Poll().Should().BeFalse();
        guest.Bar0.Ring(IoEventFdOffset, 1u);
        ioEventFd.Poll().Should().BeTrue();

        rung.Should().Be(2);
    }

    [Fact]
    public void A_device_that_polls_does_it_for_the_last_time_when_it_is_stopped()
    {
        RegionIoEventFd? ioEventFd = null;
        bool? inStop = null;
        IoEventFdDevice device = new(d => ioEventFd = d.Bar.AddIoEventFd(IoEventFdOffset, () => { }, Polling));
        device.WhenStopped = () => inStop = ioEventFd!.Poll();
        using TestGuest guest = TestGuest.Attach(device);

        guest.Bar0.Ring(IoEventFdOffset, 1u);
        guest.Migration.SetState(MigrationState.Stop);

        inStop.Should().BeTrue();
        ioEventFd!.Poll().Should().BeFalse();
    }

    [Fact]
    public void A_device_that_cannot_stop_keeps_running()
    {
        using SemaphoreSlim rung = new(0);
        IoEventFdDevice device = new(d => d.Bar.AddIoEventFd(IoEventFdOffset, () => rung.Release()))
        {
            WhenStopped = () => throw new InvalidOperationException("restless"),
        };
        using TestGuest guest = TestGuest.Attach(device);

        guest.Migration.Invoking(it => it.SetState(MigrationState.Stop)).Should().Throw<Client.VfioUserException>().WithInnerException<InvalidOperationException>();
        guest.Bar0.Ring(IoEventFdOffset, 1u);

        rung.Wait(Background.Timeout).Should().BeTrue();
    }

    [Fact]
    public void Doorbells_in_memory_wait_as_well()
    {
        List<uint> rung = [];
        DoorbellPage? page = null;
        IoEventFdDevice device = new(d => page = d.AddPage((_, value) => rung.Add(value)));
        using TestGuest guest = TestGuest.Attach(device);
        guest.Migration.SetState(MigrationState.Stop);

        BitConverter.TryWriteBytes(device.Memory.Span(Page, 4), 7u);
        page!.Poll().Should().Be(0);
        guest.Migration.SetState(MigrationState.Running);
        page.Poll().Should().Be(1);

        rung.Should().Equal(7);
    }

    [Fact]
    public void Doorbells_that_were_restored_count_as_seen()
    {
        byte[] state;
        IoEventFdDevice source = new(d => d.AddPage((_, _) => { }));
        using (TestGuest guest = TestGuest.Attach(source))
        {
            BitConverter.TryWriteBytes(source.Memory.Span(Page, 4), 7u);
            state = guest.Migration.Save();
        }
        DoorbellPage? page = null;
        IoEventFdDevice target = new(d => page = d.AddPage((_, _) => { }));
        using TestGuest other = TestGuest.Attach(target);
        other.Migration.Restore(state);

        page!.Poll().Should().Be(0);
        target.Memory.Span(Page, 4)[0].Should().Be(7);
    }

    [Fact]
    public void Doorbells_written_after_a_restore_are_handled_and_those_before_are_not()
    {
        byte[] state;
        IoEventFdDevice source = new(d => d.AddPage((_, _) => { }));
        using (TestGuest guest = TestGuest.Attach(source))
        {
            BitConverter.TryWriteBytes(source.Memory.Span(Page, 4), 7u);
            state = guest.Migration.Save();
        }
        int ioEventFds = 0;
        List<uint> rung = [];
        DoorbellPage? page = null;
        RegionIoEventFd? ioEventFd = null;
        IoEventFdDevice target = new(d =>
        {
            page = d.AddPage((_, value) => rung.Add(value));
            ioEventFd = d.Bar.AddIoEventFd(IoEventFdOffset, () => ioEventFds++, Polling);
        });
        using TestGuest other = TestGuest.Attach(target);
        other.Migration.SetState(MigrationState.Resuming);
        other.Bar0.Ring(IoEventFdOffset, 1u);
        BitConverter.TryWriteBytes(target.Memory.Span(Page, 4), 5u);
        other.Migration.Write(state);
        other.Migration.SetState(MigrationState.Stop);

        BitConverter.TryWriteBytes(target.Memory.Span(Page, 4), 9u);
        page!.Poll().Should().Be(0, "it does not run yet");
        ioEventFd!.Poll().Should().BeFalse("that was for the device that it was before");
        other.Bar0.Ring(IoEventFdOffset, 1u);
        other.Migration.SetState(MigrationState.Running);

        page.Poll().Should().Be(1);
        ioEventFd.Poll().Should().BeTrue();
        rung.Should().Equal(9);
        ioEventFds.Should().Be(1);
    }

    private static IoEventFdOptions Polling => new() { Mode = NotificationMode.Polling };

    private sealed class IoEventFdDevice : PciDevice
    {
        public IoEventFdDevice(Action<IoEventFdDevice> declare)
            : base(new PciId(0x1B36, 0x00F5), PciClass.Other)
        {
            RequiresBusMaster = false;
            Bar = AddBar(0, BarKind.Memory32, 0x2000);
            Memory = Bar.ShareMemory(new MemoryArea(Page, 0x1000));
            EnableMigration();
            declare(this);
        }

        public Bar Bar { get; }

        public RegionMemory Memory { get; }

        public Action? WhenStopped { get; set; }

        public DoorbellPage AddPage(Action<int, uint> ring) =>
            Bar.AddDoorbellPage(Page, 1, ring, new DoorbellPageOptions { Mode = NotificationMode.Polling });

        protected override void OnStopped() => WhenStopped?.Invoke();
    }
}
