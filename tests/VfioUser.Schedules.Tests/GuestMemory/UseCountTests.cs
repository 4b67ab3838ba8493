using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class UseCountTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    private const string File = "UseCount.cs";

    [Fact]
    public void The_last_one_out_frees_once() => ShouldHold<CloseWhileUsed>(File);

    [Theory]
    [InlineData("while (state > 0)", "while (true)")]
    [InlineData("int seen = Interlocked.CompareExchange(ref _state, state + 1, state);", "int seen = state; Volatile.Write(ref _state, state + 1);")]
    [InlineData("Interlocked.Decrement(ref _state)", "(Interlocked.Exchange(ref _state, Volatile.Read(ref _state) - 1) - 1)")]
    [InlineData("Interlocked.Or(ref _state, Closed)", "Interlocked.Exchange(ref _state, Volatile.Read(ref _state) | Closed)")]
    [InlineData("== 0 && Exit()", "== 0")]
    public void Schedules_find(string text, string replacement) => ShouldFail<CloseWhileUsed>(File, text, replacement);
}
