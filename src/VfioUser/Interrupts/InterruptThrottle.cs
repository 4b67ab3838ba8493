namespace VfioUser;

/// <summary>Keeps interrupts apart: between one and the next passes at least an interval, as drivers set it in an interrupt throttle
/// register.</summary>
/// <remarks>
/// <para>Setup for the constructor, Command thread for the other members, which allocate nothing. A reset of the device ends the interval
/// that passes. Migration carries an interrupt that waits; the first one after it need not wait for those before it.</para>
/// <para>The timer runs only while an interrupt waits: that costs less than to start one with each interrupt.</para>
/// </remarks>
public sealed class InterruptThrottle : DevicePart
{
    private readonly DeviceTimer _timer;
    private long? _last;

    /// <summary>Adds a throttle to a device.</summary>
    /// <param name="device">The device, whose clock it is.</param>
    /// <param name="due">Called when an interrupt that had to wait may be sent. It asks <see cref="TryPass"/> again if there still is a
    /// cause.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    public InterruptThrottle(PciDevice device, Action due)
        : base(device) => _timer = Device.AddTimer(due);

    /// <summary>Whether an interrupt waits.</summary>
    public bool IsWaiting => _timer.IsRunning;

    /// <summary>Asks whether an interrupt may be sent now.</summary>
    /// <param name="interval">From the last one to this; zero for one at any time.</param>
    /// <returns>True: send it. False: it waits, and the callback comes when it may be sent.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The interval is negative.</exception>
    public bool TryPass(TimeSpan interval)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(interval, TimeSpan.Zero);
        if (_timer.IsRunning)
            return false;
        if (interval == TimeSpan.Zero)
            return true;
        if (_last is { } last && Device.TimeProvider.GetElapsedTime(last) is var elapsed && elapsed >= TimeSpan.Zero && elapsed < interval)
        {
            _timer.Start(interval - elapsed);
            return false;
        }
        _last = Device.TimeProvider.GetTimestamp();
        return true;
    }

    /// <summary>Ends the interval, and forgets the interrupt that waits: for a reset by the driver.</summary>
    public void Reset()
    {
        _timer.Stop();
        _last = null;
    }

    /// <inheritdoc/>
    protected internal override void OnReset(ResetReason reason) => Reset();
}
