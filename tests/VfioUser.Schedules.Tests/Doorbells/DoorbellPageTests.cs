using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class DoorbellPageTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    private const string File = "DoorbellPage.cs";

    [Fact]
    public void Each_value_is_seen_once_and_none_while_it_is_stopped() => ShouldHold<RingWhileStopped>(File);

    [Theory]
    [InlineData("lock (_gate)\n            return", "return")]
    [InlineData("            _seen[i] = value;\n", "            _seen[i] = Load(page, i);\n")]
    [InlineData("_device.Activity.AllowsNotifications(polled: _options.Mode == NotificationMode.Polling) ? PollNow() : 0", "PollNow()")]
    [Trait("Category", "Long")]
    public void Schedules_find(string text, string replacement) => ShouldFail<RingWhileStopped>(File, text, replacement);
}
