namespace VfioUser;

/// <summary>A timer of a device, which calls back on the Command thread.</summary>
/// <remarks>
/// <para>
/// Created by <see cref="PciDevice.AddTimer"/>. Any thread may start and stop it; both allocate nothing. The clock is
/// <see cref="VfioUserServerOptions.TimeProvider"/>. With the system's clock the resolution is that of Linux: the call comes about
/// 50 µs late, and later while a handler runs.
/// </para>
/// <para>
/// Time passes while the device is served, with or without a client. It does not pass while migration has stopped the device: the
/// timer continues with its remaining time when the device runs again, here or on the destination. A timer that expires between
/// <see cref="PciDevice.OnQuiesceAsync"/> and <see cref="PciDevice.OnResume"/> calls back after that. A reset of either kind stops all
/// timers before <see cref="PciDevice.OnReset"/>; no earlier start calls back afterwards.
/// </para>
/// </remarks>
public sealed class DeviceTimer
{
    private readonly CommandWork _work;

    internal DeviceTimer(CommandWork work, Action callback)
    {
        _work = work;
        Callback = callback;
    }

    /// <summary>Whether it will call back. False during the callback, unless the timer is periodic.</summary>
    public bool IsRunning => Volatile.Read(in DueTime) != TimerSet.Never;

    internal Action Callback { get; }

    // of the set, under its lock
    internal long DueTime = TimerSet.Never;
    internal long Period;

    /// <summary>Starts the timer for one call. An earlier start is replaced.</summary>
    /// <param name="due">Time from now; zero for as soon as possible.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public void Start(TimeSpan due)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(due, TimeSpan.Zero);
        _work.Start(this, due.Ticks, period: 0);
    }

    /// <summary>Starts the timer for repeated calls, without drift. An earlier start is replaced.</summary>
    /// <param name="period">Time to the first call and between calls. Calls that are a whole period late are skipped.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not positive.</exception>
    public void StartPeriodic(TimeSpan period)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(period, TimeSpan.Zero);
        _work.Start(this, period.Ticks, period.Ticks);
    }

    /// <summary>Stops the timer. If called on the Command thread, no call comes afterwards; on other threads, one may be in progress.</summary>
    public void Stop() => _work.Stop(this);
}
