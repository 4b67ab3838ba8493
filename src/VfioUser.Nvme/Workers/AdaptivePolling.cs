using System.Diagnostics;

namespace VfioUser.Nvme;

/// <summary>Sees how the guest uses the queues of a worker, and says how to poll for its next command.</summary>
/// <remarks>
/// A guest with one command at a time waits for it: its next one is polled for without a pause. One with several under way
/// is better served a batch at a time: an interrupt costs it more than the wait, and a thread that spins takes its processor.
/// </remarks>
internal sealed class AdaptivePolling(NvmeControllerOptions options, bool mapped)
{
    // what comes at once when two programs without a machine between them talk
    private static readonly TimeSpan ShortSpin = TimeSpan.FromMicroseconds(25);

    // some pauses without a command, and the guest has come to an end
    private static readonly TimeSpan PauseUntil = TimeSpan.FromMilliseconds(1);

    private readonly IdleStrategy _oneAtATime = new()
    {
        Spin = options.Spin,
        IsSpinFixed = mapped || options.IsSpinFixed,
        PauseUntil = mapped ? PollingIntervals.PauseUntil : TimeSpan.Zero,
        Pause = options.Pause,
        LongestSleep = mapped ? PollingIntervals.LongestSleep : Timeout.InfiniteTimeSpan,
    };

    private readonly IdleStrategy _several = new()
    {
        Spin = options.Spin < ShortSpin ? options.Spin : ShortSpin,
        IsSpinFixed = mapped || options.IsSpinFixed,
        PauseUntil = mapped ? PollingIntervals.PauseUntil : PauseUntil,
        Pause = options.Pause,
        LongestSleep = mapped ? PollingIntervals.LongestSleep : Timeout.InfiniteTimeSpan,
    };

    private long _rung;
    private volatile bool _severalUnderWay;

    /// <summary>Until the next command.</summary>
    public IdleStrategy Idle => _severalUnderWay ? _several : _oneAtATime;

    /// <summary>Commands were fetched from a queue, and none of them is completed.</summary>
    public void Fetched(SubmissionQueue queue) => _severalUnderWay = queue.InFlight.Users > 1 || queue.Completions.Untaken > 0;

    /// <summary>The guest rang while the worker slept.</summary>
    /// <returns>Whether it does so often enough to be waited for from now on.</returns>
    public bool IsWrittenOften()
    {
        long now = Stopwatch.GetTimestamp();
        bool often = Stopwatch.GetElapsedTime(_rung, now) < options.Spin;
        _rung = now;
        return often;
    }
}
