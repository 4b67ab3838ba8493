using System.Diagnostics;

namespace VfioUser.Protocol.Tests;

public class AdaptiveSpinTests
{
    private const int Limit = 100; // µs

    private AdaptiveSpin _spin = new(TimeSpan.FromMicroseconds(Limit));

    [Fact]
    public void First_wait_sleeps_at_once()
    {
        Length.Should().Be(0);
    }

    [Fact]
    public void Poll_covers_twice_the_last_wait()
    {
        Sleep(30);

        Length.Should().Be(60);
    }

    [Fact]
    public void Poll_is_never_longer_than_the_limit()
    {
        Sleep(80);

        Length.Should().Be(Limit);
    }

    [Fact]
    public void Waits_longer_than_the_limit_end_the_polling()
    {
        Sleep(30);
        for (int i = 0; i < 8; i++)
            Sleep(1000);

        Length.Should().Be(0);
        for (int i = 0; i < 1000; i++)
        {
            Sleep(1000);
            Length.Should().Be(0);
        }
    }

    [Fact]
    public void One_long_wait_after_a_burst_does_not_end_the_polling()
    {
        Sleep(30);
        for (int i = 0; i < 200; i++)
            _spin.Found();
        Sleep(5000);

        Length.Should().Be(30);
    }

    [Fact]
    public void Polls_that_always_fail_become_rare()
    {
        // as if the other side ran only while this one sleeps: the wait is short, but any poll makes it longer
        long polled = 0;
        for (int i = 0; i < 20_000; i++)
        {
            polled += Length;
            Sleep(Length + 10);
        }

        (polled / 20_000.0).Should().BeLessThan(0.5, "that is a twentieth of a wait");
    }

    [Fact]
    public void Polling_that_rests_begins_again()
    {
        for (int i = 0; i < 20_000; i++)
            Sleep(Length + 10);

        int waits = 0;
        while (Length == 0)
        {
            Sleep(10);
            waits++;
        }

        waits.Should().BeLessThanOrEqualTo(4096);
    }

    [Fact]
    public void Rest_is_forgotten_when_polling_pays()
    {
        for (int i = 0; i < 20_000; i++)
            Sleep(Length + 10);
        while (Length == 0)
            Sleep(10);
        for (int i = 0; i < 10; i++)
            _spin.Found();
        Sleep(5000);

        Length.Should().BePositive();
    }

    [Fact]
    public void Fixed_poll_is_as_long_as_the_limit_always()
    {
        _spin = new AdaptiveSpin(TimeSpan.FromMicroseconds(Limit), isFixed: true);
        for (int i = 0; i < 50; i++)
            Sleep(1000);

        Length.Should().Be(Limit);
    }

    [Fact]
    public void Limit_of_zero_never_polls()
    {
        _spin = new AdaptiveSpin(TimeSpan.Zero);
        Sleep(1);

        Length.Should().Be(0);
        _spin.Adapts.Should().BeFalse();
    }

    [Fact]
    public void Lower_limit_bounds_the_next_poll()
    {
        Sleep(30);
        _spin.Limit = TimeSpan.FromMicroseconds(25);

        Length.Should().Be(25);
    }

    private long Length => _spin.Length * 1_000_000 / Stopwatch.Frequency;

    private void Sleep(long microseconds) => _spin.Slept(microseconds * Stopwatch.Frequency / 1_000_000);
}
