using System.Diagnostics;

namespace VfioUser;

/// <summary>The leases that are held, with the calls that took them: for tests, which report those that are never disposed.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class DmaHolds
{
    private readonly Lock _lock = new();
    private readonly Dictionary<DmaLease, StackTrace> _held = [];

    public void Add(DmaLease lease)
    {
        StackTrace taken = new(skipFrames: 2, fNeedFileInfo: true); // not this method and TryLease
        lock (_lock)
            _held.Add(lease, taken);
    }

    public void Remove(DmaLease lease)
    {
        lock (_lock)
            _held.Remove(lease);
    }

    /// <summary>What is held and where it was taken; null if nothing is.</summary>
    public string? Describe()
    {
        lock (_lock)
        {
            return _held.Count == 0 ? null : string.Join(Environment.NewLine,
                _held.Select(held => $"a lease of {held.Key.Length} bytes at {held.Key.Address}, taken{Environment.NewLine}{held.Value}"));
        }
    }
}
