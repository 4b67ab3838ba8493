using System.Diagnostics;

namespace VfioUser;

/// <summary>The leases and pins that are held, with the calls that took them: for tests, which report those that are never disposed.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class DmaHolds
{
    private readonly Lock _lock = new();
    private readonly Dictionary<object, (string What, StackTrace Taken)> _held = [];

    /// <param name="hold">The lease or pin.</param>
    /// <param name="what">Describes it, as "a lease of 512 bytes".</param>
    public void Add(object hold, string what)
    {
        StackTrace taken = new(skipFrames: 2, fNeedFileInfo: true); // not this method and its caller
        lock (_lock)
            _held.Add(hold, (what, taken));
    }

    public void Remove(object hold)
    {
        lock (_lock)
            _held.Remove(hold);
    }

    /// <summary>What is held and where it was taken; null if nothing is.</summary>
    public string? Describe()
    {
        lock (_lock)
        {
            return _held.Count == 0 ? null : string.Join(Environment.NewLine,
                _held.Select(held => $"{held.Value.What}, taken{Environment.NewLine}{held.Value.Taken}"));
        }
    }
}
