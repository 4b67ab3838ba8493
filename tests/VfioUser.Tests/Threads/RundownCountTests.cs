namespace VfioUser.Tests;

public class RundownCountTests
{
    [Fact]
    public void Closing_without_users_cleans_up_at_once()
    {
        RundownCount uses = RundownCount.Open;

        uses.Close().Should().BeTrue();

        uses.TryEnter().Should().BeFalse();
        uses.Close().Should().BeFalse("it was closed before");
    }

    [Fact]
    public void The_last_user_out_cleans_up()
    {
        RundownCount uses = RundownCount.Open;
        uses.TryEnter().Should().BeTrue();
        uses.TryEnter().Should().BeTrue();

        uses.Close().Should().BeFalse();

        uses.TryEnter().Should().BeFalse();
        uses.Exit().Should().BeFalse();
        uses.Close().Should().BeFalse();
        uses.Exit().Should().BeTrue();
    }

    [Fact]
    public async Task Exactly_one_of_many_threads_that_enter_leave_and_close_cleans_up()
    {
        for (int round = 0; round < 40; round++)
        {
            Shared shared = new();
            using Barrier start = new(4);

            Task[] all =
            [
                .. Enumerable.Range(0, 3).Select(_ => Background.Run(() =>
                {
                    start.SignalAndWait();
                    for (int i = 0; i < 100; i++)
                        shared.Use();
                })),
                Background.Run(() =>
                {
                    start.SignalAndWait();
                    shared.Close();
                }),
            ];
            await Task.WhenAll(all).WaitAsync(Background.Timeout);

            shared.Cleaned.Should().Be(1);
        }
    }

    private sealed class Shared
    {
        private RundownCount _uses = RundownCount.Open;
        private int _cleaned;

        public int Cleaned => _cleaned;

        public void Use()
        {
            if (_uses.TryEnter() && _uses.Exit())
                Interlocked.Increment(ref _cleaned);
        }

        public void Close()
        {
            if (_uses.Close())
                Interlocked.Increment(ref _cleaned);
        }
    }
}
