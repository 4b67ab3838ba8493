namespace VfioUser.Testing;

/// <summary>Options for a guest's migration. Immutable.</summary>
public sealed record GuestMigrationOptions
{
    /// <summary>The largest number of rounds in which memory and state are copied while the device runs. They end earlier when
    /// one finds nothing new.</summary>
    public int MaxPreCopyRounds { get; init; } = 4;

    /// <summary>Called after each of these rounds with its number, from 1, while the device runs: it can cause changes that the
    /// next round has to copy.</summary>
    public Action<int>? DuringPreCopy { get; init; }
}
