namespace VfioUser.Tests;

public class IdleStrategyTests
{
    [Theory]
    [InlineData(0, true)]
    [InlineData(9, true)]
    [InlineData(10, true)]
    [InlineData(99, true)]
    [InlineData(100, false)]
    public void Thread_stays_awake_while_it_spins_or_pauses(int idle, bool awake)
    {
        IdleStrategy strategy = new()
        {
            Spin = TimeSpan.FromMilliseconds(10),
            PauseUntil = TimeSpan.FromMilliseconds(100),
            Pause = TimeSpan.FromMicroseconds(1),
        };

        strategy.TryStayAwake(TimeSpan.FromMilliseconds(idle)).Should().Be(awake);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(8, 1)]
    [InlineData(24, 3)]
    [InlineData(80, 10)]
    [InlineData(8_000, 10)]
    [InlineData(60_000, -1)]
    public void Sleeps_grow_with_the_idle_time(int idle, int sleep)
    {
        IdleStrategy strategy = new() { LongestSleep = TimeSpan.FromMilliseconds(10), StopAfter = TimeSpan.FromMinutes(1) };

        strategy.SleepAfter(TimeSpan.FromMilliseconds(idle)).Should().Be(TimeSpan.FromMilliseconds(sleep));
    }

    [Fact]
    public void Thread_that_is_woken_sleeps_at_once_and_until_then()
    {
        IdleStrategy strategy = new();

        strategy.TryStayAwake(TimeSpan.Zero).Should().BeFalse();
        strategy.SleepAfter(TimeSpan.Zero).Should().Be(Timeout.InfiniteTimeSpan);
    }
}
