using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class DoorbellPageTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    private const string File = "DoorbellPage.cs";

    [Fact]
    public void Each_value_is_seen_once_and_none_while_it_is_paused() => ShouldHold<RingWhilePaused>(File);

    [Theory]
    [InlineData("lock (_gate)", "")]
    [InlineData("                _seen[i] = value;\n", "                _seen[i] = Load(page, i);\n")]
    [InlineData("            if (_paused)\n", "            if (false)\n")]
    public void Schedules_find(string text, string replacement) => ShouldFail<RingWhilePaused>(File, text, replacement);
}
