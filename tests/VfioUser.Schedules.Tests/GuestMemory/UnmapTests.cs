using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

public class UnmapTests(Sources sources, ITestOutputHelper output) : ScheduleTests(sources, output)
{
    [Fact]
    public void Unmap_waits_for_the_last_write() => ShouldHold<UnmapWhileWritten>("GuestRegion.cs");

    [Theory]
    [InlineData("Dma.cs", "&& region.TryBeginAccess() ?", "&& (region.TryBeginAccess() || true) ?")]
    [InlineData("GuestRegion.cs", "_drain = drain;", "drain?.Leave();")]
    [InlineData("DmaDrain.cs", "_left = regions.Length + 1;", "_left = regions.Length;")]
    [InlineData("DmaDrain.cs", "Interlocked.Decrement(ref _left) == 0", "Interlocked.Exchange(ref _left, Volatile.Read(ref _left) - 1) == 1")]
    [Trait("Category", "Long")]
    public void Schedules_find(string file, string text, string replacement) => ShouldFail<UnmapWhileWritten>(file, text, replacement);
}
