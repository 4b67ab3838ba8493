using System.Diagnostics;

namespace VfioUser.Tests;

public class IdleWaitTests
{
    private static readonly IdleStrategy Long = new() { Spin = TimeSpan.FromSeconds(10) };

    private IdleWait _wait = new();

    [Fact]
    public void First_wait_sleeps_at_once()
    {
        _wait.MustSleep(Long, out TimeSpan longest).Should().BeTrue();

        longest.Should().Be(Timeout.InfiniteTimeSpan);
    }

    [Fact]
    public void Work_that_came_soon_is_polled_for_the_next_time()
    {
        SleepOnce();

        _wait.MustSleep(new() { Spin = TimeSpan.FromSeconds(10) }, out _).Should().BeFalse();
    }

    [Fact]
    public void Work_that_comes_later_than_the_limit_is_slept_for()
    {
        SleepOnce();

        for (int i = 0; i < 30; i++)
        {
            while (!_wait.MustSleep(Shortest, out _))
            {
            }
            long asleep = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(asleep) <= Shortest.Spin)
            {
            }
            _wait.Worked();
        }

        _wait.MustSleep(Shortest, out _).Should().BeTrue();
    }

    [Fact]
    public void Fixed_spin_polls_without_a_wait_before()
    {
        _wait.MustSleep(Long with { IsSpinFixed = true }, out _).Should().BeFalse();
    }

    private static IdleStrategy Shortest { get; } = new() { Spin = TimeSpan.FromTicks(1) };

    private void SleepOnce()
    {
        _wait.MustSleep(Long, out _).Should().BeTrue();
        _wait.Worked();
    }
}
