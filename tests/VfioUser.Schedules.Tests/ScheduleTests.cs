using FluentAssertions;
using Xunit.Abstractions;

namespace VfioUser.Schedules.Tests;

/// <summary>Each scenario holds on every schedule, and the schedules find what was broken on purpose.</summary>
/// <param name="sources">Compiled anew by each test.</param>
/// <param name="output">Gets the schedule that failed.</param>
[Collection(nameof(Sources))]
public abstract class ScheduleTests(Sources sources, ITestOutputHelper output)
{
    private protected void ShouldHold<T>(string file)
        where T : Scenario
    {
        (int schedules, string? failure) = Recompiled.Explore(sources.With(file, text: null, replacement: null), typeof(T));

        output.WriteLine($"{schedules} schedules");
        failure.Should().BeNull();
        schedules.Should().BeGreaterThan(100, "with few schedules little is shown");
    }

    private protected void ShouldFail<T>(string file, string text, string replacement)
        where T : Scenario
    {
        (int schedules, string? failure) = Recompiled.Explore(sources.With(file, text, replacement), typeof(T));

        output.WriteLine($"schedule {schedules}: {failure}");
        failure.Should().NotBeNull("a schedule must find that \"{0}\" has become \"{1}\"", text, replacement);
    }
}

[CollectionDefinition(nameof(Sources))]
public sealed class SourcesCollection : ICollectionFixture<Sources>;
