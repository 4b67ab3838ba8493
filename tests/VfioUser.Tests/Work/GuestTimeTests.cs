using Microsoft.Extensions.Time.Testing;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests.Work;

/// <summary>Timers as an author tests them.</summary>
public sealed class GuestTimeTests
{
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);

    [Fact]
    public void Advance_calls_each_timer_at_its_time_and_in_order()
    {
        TickingDevice device = new();
        FakeTimeProvider clock = new();
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { TimeProvider = clock });
        DateTimeOffset began = clock.GetUtcNow();
        List<(string, double)> calls = [];
        device.Ticked = name => calls.Add((name, (clock.GetUtcNow() - began).TotalMilliseconds));

        device.Period.StartPeriodic(4 * Millisecond);
        device.Single.Start(10 * Millisecond);
        guest.Advance(13 * Millisecond);

        calls.Should().Equal(("period", 4), ("period", 8), ("single", 10), ("period", 12));
        clock.GetUtcNow().Should().Be(began + 13 * Millisecond);
    }

    [Fact]
    public void Timers_go_on_with_what_was_left_where_the_device_was_moved_to()
    {
        TickingDevice source = new();
        TickingDevice target = new();
        using TestGuest guest = TestGuest.Attach(source, new TestGuestOptions { TimeProvider = new FakeTimeProvider() });
        List<string> calls = [];
        target.Ticked = calls.Add;
        source.Period.StartPeriodic(3 * Millisecond);
        source.Single.Start(10 * Millisecond);
        guest.Advance(4 * Millisecond);

        using TestGuest moved = guest.MigrateTo(target);

        target.Never.IsRunning.Should().BeFalse();
        moved.Advance(2 * Millisecond);
        calls.Should().Equal("period");
        moved.Advance(3 * Millisecond);
        calls.Should().Equal("period", "period");
        moved.Advance(Millisecond);
        calls.Should().Equal("period", "period", "single");
    }

    [Fact]
    public void State_of_a_device_with_other_timers_is_refused()
    {
        byte[] state;
        using (TestGuest guest = TestGuest.Attach(new TickingDevice(timers: 2)))
            state = guest.Migration.Save();
        using TestGuest other = TestGuest.Attach(new TickingDevice(timers: 3));

        other.Migration.Invoking(migration => migration.Restore(state)).Should().Throw<Exception>();
        other.Log.Should().Contain(line => line.Contains("its Timers record has 32 bytes where this device has 48"));
        other.Reset();
    }

    [Theory]
    [InlineData(-1, 0, true)]
    [InlineData(0, 1, true)]
    [InlineData(long.MaxValue, long.MaxValue, true)]
    [InlineData(-2, 0, false)]
    [InlineData(5, -1, false)]
    public void State_with_a_negative_time_is_none(long left, long period, bool isState) =>
        TimerSet.IsState([.. BitConverter.GetBytes(left), .. BitConverter.GetBytes(period)]).Should().Be(isState);

    [Fact]
    public void Guest_without_a_clock_has_none_to_advance()
    {
        using TestGuest guest = TestGuest.Attach(new TickingDevice());

        guest.Invoking(guest => guest.Advance(Millisecond)).Should().Throw<InvalidOperationException>().WithMessage("*TestGuestOptions.TimeProvider*");
    }

    [Fact]
    public void Exception_of_a_timer_fails_a_test_that_does_not_look()
    {
        TickingDevice device = new() { Ticked = _ => throw new InvalidOperationException("late") };
        TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { TimeProvider = new FakeTimeProvider() });
        device.Single.Start(Millisecond);
        guest.Advance(Millisecond);

        guest.Invoking(guest => guest.Dispose()).Should().Throw<TestGuestException>().WithInnerException<InvalidOperationException>().WithMessage("late");
    }

    private sealed class TickingDevice : PciDevice
    {
        public TickingDevice(int timers = 3)
            : base(new PciId(0x1B36, 0x00F8), PciClass.Other)
        {
            Period = AddTimer(() => Ticked?.Invoke("period"));
            Single = AddTimer(() => Ticked?.Invoke("single"));
            Never = timers > 2 ? AddTimer(() => Ticked?.Invoke("never")) : Single;
            EnableMigration();
        }

        public DeviceTimer Period { get; }

        public DeviceTimer Single { get; }

        public DeviceTimer Never { get; }

        public Action<string>? Ticked { get; set; }
    }
}
