namespace VfioUser;

/// <summary>Options for doorbells in shared memory. Immutable.</summary>
public sealed record DoorbellPageOptions
{
    /// <summary>Distance between doorbells in bytes: a multiple of their width; null for their width.</summary>
    public int? Stride { get; init; }

    /// <summary>On whose thread the handler runs.</summary>
    public NotificationMode Mode { get; init; } = NotificationMode.Threaded;

    /// <summary>How long after the last write the thread polls without a pause. Uses a whole processor meanwhile.</summary>
    public TimeSpan Spin { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>The longest pause between two polls of an idle page: a write may be noticed this late.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>How long after the last write the thread stops polling, until <see cref="DoorbellPage.Wake"/>; null for never.
    /// Writes to mapped memory meanwhile are noticed only then.</summary>
    public TimeSpan? StopAfter { get; init; }

    internal int StrideOf(int width) => Stride ?? width;
}
