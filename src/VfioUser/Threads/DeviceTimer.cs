namespace VfioUser;

/// <summary>A timer of a device: calls the device on the Command thread when its time has passed.</summary>
/// <remarks>
/// <para>
/// Made by <see cref="PciDevice.AddTimer"/>. Any thread starts and stops it, which allocates nothing. Its clock is
/// <see cref="VfioUserServerOptions.TimeProvider"/>; with the system's the call comes as exactly as Linux wakes a thread: some
/// 50 µs late, and later if a handler runs.
/// </para>
/// <para>
/// It runs while the device is served, with a client or without one. While migration has stopped the device it stands still, and
/// goes on with what was left when the device runs again, here or where it was moved to. From when the device is asked to quiesce
/// until <see cref="PciDevice.OnResume"/> time passes but no call is made. A reset of any kind stops it before
/// <see cref="PciDevice.OnReset"/>, and no call of what was started before comes after that.
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

    /// <summary>Whether a call is to come. False within the call of one that was started for a single time.</summary>
    public bool IsRunning => Volatile.Read(in DueTime) != TimerSet.Never;

    internal Action Callback { get; }

    // of the set, under its lock
    internal long DueTime = TimerSet.Never;
    internal long Period;

    /// <summary>Calls the device once. Replaces what was started before.</summary>
    /// <param name="due">From now; 0 for as soon as may be.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    public void Start(TimeSpan due)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(due, TimeSpan.Zero);
        _work.Start(this, due.Ticks, period: 0);
    }

    /// <summary>Calls the device again and again, without drift. Replaces what was started before.</summary>
    /// <param name="period">From now to the first call, and from each to the next. Calls that could not be made in time are left out.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not positive.</exception>
    public void StartPeriodic(TimeSpan period)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(period, TimeSpan.Zero);
        _work.Start(this, period.Ticks, period.Ticks);
    }

    /// <summary>Takes back what was started. On the Command thread no call comes after that; on others one may be under way.</summary>
    public void Stop() => _work.Stop(this);
}
