using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class UnmapTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    [Fact]
    public void Unmap_waits_for_the_last_write() => ShouldHold<UnmapWhileWritten>("DmaMapping.cs");

    [Theory]
    [InlineData("Dma.cs", "|| !mapping.TryEnter())", "|| !(mapping.TryEnter() || true))")]
    [InlineData("DmaMapping.cs", "_drain = drain;", "drain?.Leave();")]
    [InlineData("DmaDrain.cs", "_left = mappings.Length + 1;", "_left = mappings.Length;")]
    [InlineData("DmaDrain.cs", "Interlocked.Decrement(ref _left) == 0", "Interlocked.Exchange(ref _left, Volatile.Read(ref _left) - 1) == 1")]
    public void Schedules_find(string file, string text, string replacement) => ShouldFail<UnmapWhileWritten>(file, text, replacement);
}
