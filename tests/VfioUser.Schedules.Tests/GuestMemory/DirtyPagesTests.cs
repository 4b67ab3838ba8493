using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class DirtyPagesTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    private const string File = "DirtyPages.cs";

    [Fact]
    public void No_write_is_lost() => ShouldHold<ReportWhileMarked>(File);

    [Theory]
    [InlineData("Interlocked.Or(ref _words[word], bits);", "Volatile.Write(ref _words[word], Volatile.Read(ref _words[word]) | bits);")]
    [InlineData("Interlocked.And(ref _words[word], ~clear) & mask;", "Volatile.Read(ref _words[word]) & mask; Volatile.Write(ref _words[word], 0ul);")]
    [Trait("Category", "Long")]
    public void Schedules_find(string text, string replacement) => ShouldFail<ReportWhileMarked>(File, text, replacement);
}
