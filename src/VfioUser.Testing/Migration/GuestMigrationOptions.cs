namespace VfioUser.Testing;

/// <summary>How a guest moves. Immutable.</summary>
public sealed record GuestMigrationOptions
{
    /// <summary>How often memory and state are copied while the device still runs, at most. It ends earlier when a round finds
    /// nothing new.</summary>
    public int MaxPreCopyRounds { get; init; } = 4;

    /// <summary>Called after each of these rounds with its number, from 1 on, while the device runs: to let it do something that
    /// the next round has to copy.</summary>
    public Action<int>? DuringPreCopy { get; init; }
}
