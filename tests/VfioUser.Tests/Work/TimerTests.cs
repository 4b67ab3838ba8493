using Microsoft.Extensions.Time.Testing;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Tests.Quiesce;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Work;

public sealed class TimerTests
{
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);

    private readonly FakeTimeProvider _clock = new();
    private readonly WorkingDevice _device = new();
    private readonly DeviceTimer _timer;

    public TimerTests() => _timer = _device.AddTimer(() => _device.Tell("due"));

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Timer_calls_once_when_its_time_has_passed(ServedBy by)
    {
        using WorkRig rig = Serve(by);
        using RawClient client = rig.Attach();

        _timer.Start(10 * Millisecond);
        _clock.Advance(9 * Millisecond);
        ShouldTellNothing();
        bool before = _timer.IsRunning;
        _clock.Advance(Millisecond);
        _device.ShouldTell("due");
        _clock.Advance(100 * Millisecond);
        ShouldTellNothing();

        before.Should().BeTrue();
        _timer.IsRunning.Should().BeFalse();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void The_device_has_the_clock_of_its_timers(ServedBy by)
    {
        TimeProvider before = _device.TimeProvider;
        using WorkRig rig = Serve(by);
        using RawClient client = rig.Attach();

        before.Should().BeSameAs(TimeProvider.System);
        _device.TimeProvider.Should().BeSameAs(_clock);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Timers_on_the_system_clock_call_in_the_order_of_their_due_times(ServedBy by)
    {
        DeviceTimer late = _device.AddTimer(() => _device.Tell("an hour later"));
        DeviceTimer chain = _device.AddTimer(() => _device.Tell("chained"));
        using WorkRig rig = new(by, _device);

        late.Start(TimeSpan.FromHours(1));
        _timer.Start(Millisecond);
        _device.ShouldTell("due");
        using (RawClient client = rig.Attach())
        {
            _timer.Start(Millisecond);
            _device.ShouldTell("due");
            _device.Written = _ => chain.Start(TimeSpan.FromMicroseconds(200));
            for (int i = 0; i < 20; i++)
            {
                WorkRig.Write(client, 1);
                _device.ShouldTell("chained");
            }
        }
        _device.ShouldTell("detached");
        _timer.Start(Millisecond);

        _device.ShouldTell("due");
        late.IsRunning.Should().BeTrue();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Periodic_timer_on_the_system_clock_runs_until_it_is_stopped(ServedBy by)
    {
        using WorkRig rig = new(by, _device);
        using RawClient client = rig.Attach();

        _timer.StartPeriodic(Millisecond / 2);
        _device.ShouldTell([.. Enumerable.Repeat("due", 20)]);
        client.ShouldBeServed();
        _device.Post(() =>
        {
            _timer.Stop();
            _device.Tell("stopped by itself");
        });
        while (!_device.Diary.Contains("stopped by itself", StringComparer.Ordinal))
            client.ShouldBeServed();

        client.ShouldBeServed();
        _device.Diary.Last().Should().Be("stopped by itself");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Stopped_timer_does_not_call(ServedBy by)
    {
        DeviceTimer other = _device.AddTimer(() => _device.Tell("the other"));
        using WorkRig rig = Serve(by);

        _timer.Start(Millisecond);
        other.Start(2 * Millisecond);
        _timer.Stop();
        _clock.Advance(Millisecond);
        ShouldTellNothing();
        _clock.Advance(Millisecond);

        _device.ShouldTell("the other");
        _timer.IsRunning.Should().BeFalse();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread, false)]
    [InlineData(ServedBy.OwnThread, true)]
    [InlineData(ServedBy.Poller, false)]
    [InlineData(ServedBy.Poller, true)]
    [InlineData(ServedBy.Host, false)]
    [InlineData(ServedBy.Host, true)]
    public void A_reset_stops_timers_before_it_calls_the_device(ServedBy by, bool functionLevel)
    {
        DeviceTimer afresh = _device.AddTimer(() => _device.Tell("started afresh"));
        _device.Happened = entry =>
        {
            if (entry.StartsWith("reset", StringComparison.Ordinal))
                afresh.Start(Millisecond);
        };
        using WorkRig rig = Serve(by);
        using RawClient client = rig.Attach();
        _timer.Start(Millisecond);
        afresh.StartPeriodic(Millisecond);

        if (functionLevel)
            rig.FunctionLevelReset(client);
        else
            WorkRig.Reset(client);
        bool running = _timer.IsRunning;
        _clock.Advance(Millisecond);

        _device.ShouldTell(functionLevel ? "reset FunctionLevel" : "reset ClientRequested", "started afresh");
        ShouldTellNothing();
        running.Should().BeFalse();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Timer_due_while_the_device_is_quiesced_for_a_reset_does_not_call(ServedBy by)
    {
        using WorkRig rig = Serve(by);
        using RawClient client = rig.Attach();
        using LateAnswer answer = new();
        _device.Answer = answer.Ask;
        _timer.Start(Millisecond);

        ushort reset = client.Say(Command.DeviceReset);
        answer.ShouldBeAsked();
        _clock.Advance(Millisecond);
        answer.Quiesced();
        client.HearReply(reset, Command.DeviceReset).ShouldBeGranted();
        _device.Answer = (_, _) => new(true);

        _device.ShouldTell("reset ClientRequested");
        ShouldTellNothing();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread, false)]
    [InlineData(ServedBy.OwnThread, true)]
    [InlineData(ServedBy.Poller, false)]
    [InlineData(ServedBy.Poller, true)]
    [InlineData(ServedBy.Host, true)]
    public void Timer_due_while_the_device_is_quiesced_for_a_map_calls_when_it_is_resumed(ServedBy by, bool isFake)
    {
        using WorkRig rig = isFake ? Serve(by) : new WorkRig(by, _device);
        using RawClient client = rig.Attach();
        using LateAnswer answer = new();
        _device.Answer = answer.Ask;

        using SafeFileHandle file = Files.Sealed(QuiesceRig.Page);
        ushort map = client.Say(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Fresh), MessageFlags.Command, file);
        answer.ShouldBeAsked();
        _timer.Start(Millisecond);
        _clock.Advance(Millisecond);
        bool early = _device.Diary.Any();
        answer.Quiesced();
        client.HearReply(map, Command.DmaMap).ShouldBeGranted();

        _device.ShouldTell("due");
        early.Should().BeFalse();
        _device.Answer = (_, _) => new(true);
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Time_stands_still_while_migration_has_stopped_the_device(ServedBy by)
    {
        using WorkRig rig = Serve(by);
        using RawClient client = rig.Attach();
        _timer.Start(10 * Millisecond);
        _clock.Advance(4 * Millisecond);

        WorkRig.GoTo(client, MigrationState.StopCopy);
        _clock.Advance(100 * Millisecond);
        client.ShouldBeServed();
        WorkRig.GoTo(client, MigrationState.Running);
        _device.ShouldTell("stopped", "started");
        _clock.Advance(5 * Millisecond);
        ShouldTellNothing();
        _clock.Advance(Millisecond);

        _device.ShouldTell("due");
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Exception_of_a_timer_is_reported_and_ends_nothing(ServedBy by)
    {
        DeviceTimer bad = _device.AddTimer(() => throw new InvalidOperationException("out of time"));
        using WorkRig rig = Serve(by);
        bad.StartPeriodic(Millisecond);
        _timer.Start(Millisecond);

        _clock.Advance(Millisecond);

        DeviceExceptionContext context = rig.ShouldThrow();
        (context.Callback, context.Command, context.Exception.Message).Should().Be((DeviceCallback.Timer, null, "out of time"));
        _device.ShouldTell("due");
        _clock.Advance(Millisecond);
        rig.ShouldThrow();
    }

    [Theory]
    [InlineData(ServedBy.OwnThread)]
    [InlineData(ServedBy.Poller)]
    [InlineData(ServedBy.Host)]
    public void Timer_stands_still_while_the_device_is_not_served(ServedBy by)
    {
        _timer.Start(10 * Millisecond);
        _clock.Advance(100 * Millisecond);
        using (Serve(by))
        {
            _clock.Advance(4 * Millisecond);
            ShouldTellNothing();
        }
        _clock.Advance(100 * Millisecond);
        using WorkRig rig = Serve(by);

        _clock.Advance(5 * Millisecond);
        ShouldTellNothing();
        _clock.Advance(Millisecond);

        _device.ShouldTell("due");
    }

    [Fact]
    public void Timer_is_declared_before_the_device_is_served_and_started_with_a_time_that_can_be()
    {
        using WorkRig rig = Serve(ServedBy.OwnThread);

        _device.Invoking(device => device.AddTimer(() => { })).Should().Throw<InvalidOperationException>();
        _timer.Invoking(timer => timer.Start(-Millisecond)).Should().Throw<ArgumentOutOfRangeException>();
        _timer.Invoking(timer => timer.StartPeriodic(TimeSpan.Zero)).Should().Throw<ArgumentOutOfRangeException>();
        _timer.Start(TimeSpan.MaxValue);
        _timer.IsRunning.Should().BeTrue();
        _clock.Advance(TimeSpan.FromDays(1000));
        ShouldTellNothing();
    }

    [Fact]
    public void Starting_and_stopping_allocate_nothing()
    {
        using WorkRig rig = new(ServedBy.OwnThread, _device);
        Use();

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
            Use();

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);

        void Use()
        {
            _timer.Start(TimeSpan.FromHours(1));
            _timer.StartPeriodic(TimeSpan.FromHours(2));
            _timer.Stop();
        }
    }

    private WorkRig Serve(ServedBy by) => new(by, _device, new VfioUserServerOptions { TimeProvider = _clock });

    // Twice: the first one may have begun before the clock was advanced.
    private void ShouldTellNothing()
    {
        for (int i = 0; i < 2; i++)
        {
            _device.Post(() => _device.Tell("nothing else"));
            _device.ShouldTell("nothing else");
        }
    }
}
