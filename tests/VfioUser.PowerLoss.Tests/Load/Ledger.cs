namespace VfioUser.PowerLoss.Tests.Load;

/// <summary>What each sector may have after a power cut: what was made durable last, and whatever was written since.</summary>
internal sealed class Ledger(int sectors)
{
    // beside the version of the operation
    private const ulong Zeroed = 1ul << 63;
    private const ulong Trimmed = 1ul << 62; // zeros, or what it had

    private readonly List<ulong>[] _contents = [.. Enumerable.Range(0, sectors).Select(_ => new List<ulong> { 0 })];

    /// <summary>It is sent: from now on it may be there.</summary>
    public void Begin(in Operation operation)
    {
        if (operation.Kind is OperationKind.Read or OperationKind.Flush)
            return;
        foreach (List<ulong> contents in Of(operation))
            contents.Add(EntryOf(operation));
    }

    /// <summary>It is durable: what the sectors had before is not there any more, unless a trim leaves it.</summary>
    public void MakeDurable(in Operation operation)
    {
        if (operation.Kind is OperationKind.Trim)
            return;
        foreach (List<ulong> contents in Of(operation))
        {
            int at = contents.LastIndexOf(EntryOf(operation));
            contents.RemoveRange(0, Math.Max(at, 0)); // it may have been overwritten durably
        }
    }

    /// <summary>Whether a sector may have this after a cut.</summary>
    public bool Allows(int sector, ulong? version) => version switch
    {
        null => false,
        0 => _contents[sector].Exists(static entry => entry == 0 || (entry & (Zeroed | Trimmed)) != 0),
        _ => _contents[sector].Contains(version.Value),
    };

    /// <summary>Whether a sector that nobody writes may have this now.</summary>
    public bool IsNewest(int sector, ulong? version)
    {
        ulong newest = _contents[sector][^1];
        return (newest & Trimmed) != 0 || version == ((newest & Zeroed) != 0 ? 0 : newest);
    }

    /// <summary>A sector was read after a cut: it keeps that.</summary>
    public void Settle(int sector, ulong version)
    {
        _contents[sector].Clear();
        _contents[sector].Add(version);
    }

    public string Describe(int sector) => string.Join(", ", _contents[sector].Select(static entry =>
        (entry & Trimmed) != 0 ? $"trimmed by {entry ^ Trimmed}" : (entry & Zeroed) != 0 ? $"zeroed by {entry ^ Zeroed}" : $"{entry}"));

    private static ulong EntryOf(in Operation operation) => operation.Kind switch
    {
        OperationKind.Zero => operation.Version | Zeroed,
        OperationKind.Trim => operation.Version | Trimmed,
        _ => operation.Version,
    };

    private ReadOnlySpan<List<ulong>> Of(in Operation operation) => _contents.AsSpan(operation.Sector, operation.Count);
}
