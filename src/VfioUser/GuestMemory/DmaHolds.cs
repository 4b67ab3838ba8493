using System.Diagnostics;

namespace VfioUser;

/// <summary>The leases and pins that are held, with the calls that took them: for tests, which report those that are never disposed.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class DmaHolds
{
    private static readonly Type[] Own = [typeof(DmaHolds), typeof(Dma), typeof(DmaList)];

    private readonly Lock _lock = new();
    private readonly Dictionary<object, (string What, StackTrace Taken, long Since)> _held = [];

    /// <param name="hold">The lease or pin.</param>
    /// <param name="what">Describes it, as "a lease of 512 bytes".</param>
    public void Add(object hold, string what)
    {
        StackTrace taken = new(fNeedFileInfo: true);
        lock (_lock)
            _held.Add(hold, (what, taken, Stopwatch.GetTimestamp()));
    }

    public void Remove(object hold)
    {
        lock (_lock)
            _held.Remove(hold);
    }

    /// <summary>What is held and where it was taken; null if nothing is.</summary>
    /// <param name="atLeast">Of those that are held for as long.</param>
    public string? Describe(TimeSpan atLeast = default)
    {
        lock (_lock)
        {
            string[] all = [.. _held.Values.Where(held => Stopwatch.GetElapsedTime(held.Since) >= atLeast)
                .Select(held => $"{held.What}, taken{Environment.NewLine}{CallerOf(held.Taken)}")];
            return all.Length == 0 ? null : string.Join(Environment.NewLine, all);
        }
    }

    // without the library's own methods that took it
    private static string CallerOf(StackTrace taken) =>
        string.Join(Environment.NewLine, taken.ToString().Split(Environment.NewLine).SkipWhile(IsOwn));

    private static bool IsOwn(string frame) =>
        Own.Any(type => frame.Contains($" {type.FullName}.", StringComparison.Ordinal));
}
