using System.Diagnostics;

namespace VfioUser.Tool.Inspecting;

/// <summary>What a server told at one moment. Immutable.</summary>
/// <param name="At">Timestamp of a <see cref="Stopwatch"/>.</param>
/// <param name="Server">The server.</param>
/// <param name="Counters">Its counters.</param>
internal sealed record TopSample(long At, ServerFacts Server, IReadOnlyList<CounterFacts> Counters)
{
    /// <summary>Asks a server.</summary>
    public static TopSample Take(InspectionClient client)
    {
        ServerFacts server = client.Show(InspectionTopics.Server).First().Server ?? throw new ToolException("The server tells nothing of itself.");
        // the time beside the counters, of which rates are made
        long at = Stopwatch.GetTimestamp();
        return new TopSample(at, server, [.. client.Show(InspectionTopics.Counters).SelectMany(answer => answer.Counters ?? [])]);
    }

    /// <summary>The sum of the counters of a name that have a tag, or of all if no tag is given.</summary>
    public double Sum(string name, string? value = null, bool errors = true) => Counters
        .Where(counter => string.Equals(counter.Name, name, StringComparison.Ordinal) && (value is null || counter.Tags.ContainsValue(value)) && (errors || !counter.Tags.ContainsKey(MetricTags.ErrorType)))
        .Sum(counter => counter.Value);

    /// <summary>As <see cref="Sum"/>, of those with an error.</summary>
    public double Errors(string name) => Sum(name) - Sum(name, errors: false);
}
