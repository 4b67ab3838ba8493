using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>What a polling thread does when a poll finds no work: after its last work it spins, then polls with short pauses,
/// then sleeps, longer the longer it is idle.</summary>
/// <remarks>
/// Immutable; any thread. Does not allocate. The thread's loop, where Poll returns whether there was work:
/// <code>
/// if (Poll())
///     last = Stopwatch.GetTimestamp();
/// else if (Stopwatch.GetElapsedTime(last) is var idle &amp;&amp; !strategy.TryStayAwake(idle) &amp;&amp; wake.WaitOne(strategy.SleepAfter(idle)))
///     last = Stopwatch.GetTimestamp();
/// </code>
/// </remarks>
public sealed record IdleStrategy
{
    // between two polls; shorter than a poll
    private const int SpinIterations = 10;

    // a sleep is an eighth of the idle time
    private const int IdleToSleep = 8;

    // after this long, other threads get the processor first
    private static readonly TimeSpan YieldAfter = TimeSpan.FromMicroseconds(20);

    private static readonly TimeSpan ShortestSleep = TimeSpan.FromMilliseconds(1);

    /// <summary>How long after its last work the thread polls without a pause. Uses a whole processor meanwhile.</summary>
    /// <remarks>A <see cref="PollingWorker"/> polls so long at most: while work comes sooner than that, twice as long as it lately took
    /// to come, and not at all while work comes later.</remarks>
    public TimeSpan Spin { get; init; }

    /// <summary>Whether a <see cref="PollingWorker"/> polls for all of <see cref="Spin"/> after each work: where work does not wake it, for
    /// then it cannot see how soon work came.</summary>
    public bool IsSpinFixed { get; init; }

    /// <summary>How long after its last work it polls with pauses; without effect unless longer than <see cref="Spin"/>.</summary>
    public TimeSpan PauseUntil { get; init; }

    /// <summary>Length of such a pause; the system adds about 50 µs.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromMicroseconds(50);

    /// <summary>The longest sleep, for work that does not wake the thread: it may be noticed this late. By default the thread
    /// sleeps until it is woken.</summary>
    public TimeSpan LongestSleep { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>How long after its last work it stops polling and sleeps until it is woken; null for never.</summary>
    public TimeSpan? StopAfter { get; init; }

    /// <summary>Spins or pauses once, unless it is time to sleep.</summary>
    /// <param name="idle">Time since the last work.</param>
    /// <returns>False when it is time to sleep.</returns>
    public bool TryStayAwake(TimeSpan idle) => TryStayAwake(idle, Spin);

    internal bool TryStayAwake(TimeSpan idle, TimeSpan spin)
    {
        if (idle < spin)
        {
            Thread.SpinWait(SpinIterations);
            if (idle > YieldAfter)
                _ = Thread.Yield();
            return true;
        }
        if (idle >= PauseUntil)
            return false;
        ShortSleep.For(Pause);
        return true;
    }

    /// <summary>How long to sleep at most.</summary>
    /// <param name="idle">Time since the last work.</param>
    public TimeSpan SleepAfter(TimeSpan idle)
    {
        if (LongestSleep == Timeout.InfiniteTimeSpan || idle >= StopAfter)
            return Timeout.InfiniteTimeSpan;
        TimeSpan sleep = idle / IdleToSleep;
        if (sleep < ShortestSleep)
            sleep = ShortestSleep;
        return sleep < LongestSleep ? sleep : LongestSleep;
    }
}
