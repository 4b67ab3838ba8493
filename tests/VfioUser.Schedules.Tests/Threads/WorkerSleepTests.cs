using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class WorkerSleepTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    private const string File = "WorkerSleep.cs";

    [Fact]
    public void No_work_is_left_to_a_worker_that_sleeps() => ShouldHold<WakeWhileFallingAsleep>(File);

    [Theory]
    [InlineData("if (!IsAsleep || Interlocked.Exchange(ref _asleep, 0) == 0)", "if (!IsAsleep || Interlocked.Exchange(ref _asleep, 1) == 0)")]
    [InlineData("if (!IsAsleep ||", "if (IsAsleep ||")]
    [Trait("Category", "Long")]
    public void Schedules_find(string text, string replacement) => ShouldFail<WakeWhileFallingAsleep>(File, text, replacement);
}
