using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class CommandTurnTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    private const string File = "CommandTurn.cs";

    [Fact]
    public void No_post_is_left_to_a_thread_that_sleeps() => ShouldHold<SleepWhilePosted>(File);

    [Theory]
    [InlineData("if (!work.IsReady)", "if (true)")]
    [InlineData("Interlocked.Exchange(ref _state, Asleep);", "if (work.IsReady) return false; Interlocked.Exchange(ref _state, Asleep); return true;")]
    [InlineData("Interlocked.CompareExchange(ref _state, Borrowed, Asleep) == Asleep;", "Interlocked.CompareExchange(ref _state, Borrowed, _state) != Wanted;")]
    [Trait("Category", "Long")]
    public void Schedules_find(string text, string replacement) => ShouldFail<SleepWhilePosted>(File, text, replacement);
}
