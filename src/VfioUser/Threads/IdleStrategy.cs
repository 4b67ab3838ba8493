using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>What a thread that polls does when a poll has found nothing: it polls on without a pause for a while after its last
/// work, then with short pauses, and then sleeps, the longer the longer nothing comes.</summary>
/// <remarks>
/// Immutable; any thread. Allocates nothing. The thread's loop, where Poll says whether there was something:
/// <code>
/// if (Poll())
///     last = Stopwatch.GetTimestamp();
/// else if (Stopwatch.GetElapsedTime(last) is var idle &amp;&amp; !strategy.TryStayAwake(idle) &amp;&amp; wake.WaitOne(strategy.SleepAfter(idle)))
///     last = Stopwatch.GetTimestamp();
/// </code>
/// </remarks>
public sealed record IdleStrategy
{
    // between two polls; to poll costs more than this
    private const int SpinIterations = 10;

    // sleeps grow with the time that nothing came: an eighth of it
    private const int IdleToSleep = 8;

    // after this long, whoever else wants the processor goes first
    private static readonly TimeSpan YieldAfter = TimeSpan.FromMicroseconds(20);

    private static readonly TimeSpan ShortestSleep = TimeSpan.FromMilliseconds(1);

    /// <summary>How long after its last work the thread polls without a pause. Costs a processor while it lasts.</summary>
    public TimeSpan Spin { get; init; }

    /// <summary>How long after its last work it polls with pauses; without effect if it is not longer than <see cref="Spin"/>.</summary>
    public TimeSpan PauseUntil { get; init; }

    /// <summary>How long such a pause is; the system adds some 50 µs to it.</summary>
    public TimeSpan Pause { get; init; } = TimeSpan.FromMicroseconds(50);

    /// <summary>The longest sleep, for what nobody wakes the thread for: as late may that be noticed. By default it sleeps until it is woken.</summary>
    public TimeSpan LongestSleep { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>How long after its last work it sleeps until it is woken in any case; null for never.</summary>
    public TimeSpan? StopAfter { get; init; }

    /// <summary>Spins or pauses once, if it is not yet time to sleep.</summary>
    /// <param name="idle">For how long there was nothing.</param>
    /// <returns>False when it is.</returns>
    public bool TryStayAwake(TimeSpan idle)
    {
        if (idle < Spin)
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
    /// <param name="idle">For how long there was nothing.</param>
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
