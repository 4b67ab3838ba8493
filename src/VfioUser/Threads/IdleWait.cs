using System.Diagnostics;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>How a polling thread waits: by its strategy, and by how long its last waits were.</summary>
/// <remarks>For the thread's loop:
/// <code>
/// if (Poll())
///     wait.Worked();
/// else if (wait.MustSleep(strategy, out TimeSpan longest) &amp;&amp; Sleep(longest))
///     wait.Woken();
/// </code>
/// </remarks>
internal struct IdleWait()
{
    private AdaptiveSpin _spin = new(TimeSpan.Zero);
    private long _began; // the wait
    private long _last; // work, or a wake-up: the strategy counts from here
    private bool _isWaiting;
    private bool _outlastsSpin;

    /// <summary>A poll has found work.</summary>
    public void Worked()
    {
        if (!_isWaiting)
            return;
        _isWaiting = false;
        if (_outlastsSpin)
            _spin.Slept(Stopwatch.GetTimestamp() - _began);
        else
            _spin.Found();
    }

    /// <summary>A poll has found nothing: spins or pauses once, unless it is time to sleep.</summary>
    /// <param name="strategy">The thread's.</param>
    /// <param name="longest">How long to sleep at most.</param>
    /// <returns>Whether it is time to sleep.</returns>
    public bool MustSleep(IdleStrategy strategy, out TimeSpan longest)
    {
        longest = default;
        if (!_isWaiting)
        {
            _isWaiting = true;
            _outlastsSpin = false;
            _began = _last = Stopwatch.GetTimestamp();
        }
        _spin.Limit = strategy.Spin;
        TimeSpan spin = strategy.IsSpinFixed ? strategy.Spin : Stopwatch.GetElapsedTime(0, _spin.Length);
        TimeSpan idle = Stopwatch.GetElapsedTime(_last);
        _outlastsSpin |= idle >= spin;
        if (strategy.TryStayAwake(idle, spin))
            return false;
        longest = strategy.SleepAfter(idle);
        return true;
    }

    /// <summary>A sleep was ended by another thread.</summary>
    public void Woken() => _last = Stopwatch.GetTimestamp();
}
