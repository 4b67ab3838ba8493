namespace VfioUser.Tests;

public class RundownGuardTests
{
    [Fact]
    public void A_closed_guard_admits_no_thread_until_it_is_opened()
    {
        RundownGuard guard = new(isOpen: false);

        bool early = guard.TryEnter();
        guard.Open();
        bool late = guard.TryEnter(3);

        early.Should().BeFalse();
        late.Should().BeTrue();
        guard.IsOpen.Should().BeTrue();
        guard.Users.Should().Be(3);
    }

    [Fact]
    public async Task Wait_ends_when_the_last_user_has_left()
    {
        RundownGuard guard = new();
        guard.TryEnter(2).Should().BeTrue();
        guard.Close();

        Task waiting = Background.Run(guard.Wait);
        guard.Exit();
        bool early = waiting.IsCompleted;
        guard.Exit();
        await waiting.WaitAsync(Background.Timeout);

        early.Should().BeFalse();
        guard.Users.Should().Be(0);
        guard.TryEnter().Should().BeFalse();
    }

    [Fact]
    public async Task A_wait_ends_when_the_guard_is_opened_again()
    {
        RundownGuard guard = new();
        guard.TryEnter().Should().BeTrue();
        guard.Close();

        Task waiting = Background.Run(guard.Wait);
        guard.Open();
        await waiting.WaitAsync(Background.Timeout);

        guard.Users.Should().Be(1);
        guard.TryEnter().Should().BeTrue();
    }

    [Fact]
    public void Wait_of_an_empty_guard_ends_at_once()
    {
        RundownGuard guard = new();
        guard.Close();
        guard.Close();

        guard.Wait();

        guard.IsOpen.Should().BeFalse();
        guard.Users.Should().Be(0);
    }

    [Fact]
    public async Task No_thread_is_inside_when_a_wait_has_ended()
    {
        RundownGuard guard = new();
        int inside = 0;
        int seen = 0;
        using CancellationTokenSource stop = new();
        Task[] users = [.. Enumerable.Range(0, 3).Select(_ => Background.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                if (!guard.TryEnter())
                    continue;
                Interlocked.Increment(ref inside);
                Interlocked.Decrement(ref inside);
                guard.Exit();
            }
        }))];

        for (int round = 0; round < 1_000; round++)
        {
            guard.Close();
            guard.Wait();
            seen += Volatile.Read(ref inside);
            guard.Open();
        }
        await stop.CancelAsync();
        await Task.WhenAll(users).WaitAsync(Background.Timeout);

        seen.Should().Be(0);
        guard.Users.Should().Be(0);
    }
}
