using System.Diagnostics;

namespace VfioUser.Protocol;

/// <summary>Until when something is waited for; possibly for ever.</summary>
internal readonly record struct Deadline
{
    // no wait takes more milliseconds than an int holds; who comes back early looks again
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(1);
    private static readonly TimeSpan ForEver = TimeSpan.FromDays(3650);
    private readonly long _timestamp;

    private Deadline(long timestamp) => _timestamp = timestamp;

    public static Deadline Never => new(long.MaxValue);

    public bool IsNever => _timestamp == long.MaxValue;

    /// <summary>Whether there is more left than can be waited for at once.</summary>
    public bool IsFar => Left == LongestWait;

    /// <summary>What is left of it, as far as it can be waited for at once; zero when it is over.</summary>
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

    /// <summary>Which of two is over first; null stands for none.</summary>
    public static Deadline? Earlier(Deadline? one, Deadline? other) =>
        other is null || (one is { } first && first._timestamp <= other.Value._timestamp) ? one : other;
}
