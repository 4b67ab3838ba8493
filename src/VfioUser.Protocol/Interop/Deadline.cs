using System.Diagnostics;

namespace VfioUser.Protocol;

/// <summary>The moment at which a wait ends; possibly never.</summary>
internal readonly record struct Deadline
{
    // system calls take an int of milliseconds; a caller whose wait ends before the deadline waits again
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);
    private static readonly TimeSpan ForEver = TimeSpan.FromDays(3650);
    private readonly long _timestamp;

    private Deadline(long timestamp) => _timestamp = timestamp;

    public static Deadline Never => new(long.MaxValue);

    /// <summary>A timestamp of <see cref="Stopwatch"/>: the largest for never.</summary>
    public long Timestamp => _timestamp;

    public bool IsNever => _timestamp == long.MaxValue;

    /// <summary>Whether more time is left than one wait can take.</summary>
    public bool IsFar => Left == LongestWait;

    /// <summary>The time left, at most as long as one wait can take; zero once the deadline has passed.</summary>
    public TimeSpan Left
    {
        get
        {
            if (IsNever)
                return LongestWait;
            long now = Stopwatch.GetTimestamp();
            if (now >= _timestamp)
                return TimeSpan.Zero;
            TimeSpan left = Stopwatch.GetElapsedTime(now, _timestamp);
            return left < LongestWait ? left : LongestWait;
        }
    }

    public static Deadline After(TimeSpan time) => time == Timeout.InfiniteTimeSpan || time > ForEver
        ? Never
        : new Deadline(Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency));

    /// <summary>At a timestamp of <see cref="Stopwatch"/>.</summary>
    public static Deadline At(long timestamp) => new(timestamp);

    /// <summary>Which of two is over first; null stands for none.</summary>
    public static Deadline? Earlier(Deadline? one, Deadline? other) =>
        other is null || (one is { } first && first._timestamp <= other.Value._timestamp) ? one : other;
}
