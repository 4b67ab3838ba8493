using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class RundownCountTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    private const string File = "RundownCount.cs";

    [Fact]
    public void The_last_one_out_frees_once() => ShouldHold<CloseWhileUsed>(File);

    [Theory]
    [InlineData("while (state > 0)", "while (true)")]
    [InlineData("int seen = Interlocked.CompareExchange(ref _state, state + users, state);", "int seen = state; Volatile.Write(ref _state, state + users);")]
    [InlineData("Interlocked.Add(ref _state, -users)", "(Interlocked.Exchange(ref _state, Volatile.Read(ref _state) - users) - users)")]
    [InlineData("Interlocked.Or(ref _state, ClosedBit)", "Interlocked.Exchange(ref _state, Volatile.Read(ref _state) | ClosedBit)")]
    [InlineData("== 0 && Exit()", "== 0")]
    [Trait("Category", "Long")]
    public void Schedules_find(string text, string replacement) => ShouldFail<CloseWhileUsed>(File, text, replacement);
}
