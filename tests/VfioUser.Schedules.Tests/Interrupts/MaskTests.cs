using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class MaskTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    private const string File = "Irq.cs";

    [Fact]
    public void No_interrupt_is_lost_or_passes_the_mask() => ShouldHold<MaskWhileTriggered>(File);

    [Theory]
    [InlineData("lock (_lock)\n            return Deliver();", "return Deliver();")]
    [InlineData("using (EnterForClient())", "")]
    [InlineData("changed = SetMasked(false);\n            DeliverPending();", "changed = SetMasked(false);")]
    [Trait("Category", "Long")]
    public void Schedules_find(string text, string replacement) => ShouldFail<MaskWhileTriggered>(File, text, replacement);
}
