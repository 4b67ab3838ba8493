namespace VfioUser;

/// <summary>What there is to say about doorbells in shared memory. Immutable.</summary>
public sealed record DoorbellPageOptions
{
    /// <summary>From one doorbell to the next, in bytes; a multiple of 4.</summary>
    public int Stride { get; init; } = sizeof(uint);

    /// <summary>On whose thread the handler runs.</summary>
    public NotificationMode Mode { get; init; } = NotificationMode.Threaded;

    /// <summary>How long after the last ring the thread looks without a pause. Costs a core while it lasts.</summary>
    public TimeSpan Spin { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest pause between two looks, which a long idle page comes to: as late may a ring be noticed.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>How long after the last ring the thread stops looking, until <see cref="DoorbellPage.Wake"/>; null for never.
    /// Rings meanwhile are noticed only then.</summary>
    public TimeSpan? StopAfter { get; init; }
}
