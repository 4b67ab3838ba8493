namespace VfioUser;

/// <summary>Has one interrupt tell of several events, such as frames that were received: it comes when none has come for a time, a time
/// after the first, when there are enough, or with another interrupt.</summary>
/// <remarks>Setup for the constructor, Command thread for the other members, which allocate nothing. A reset of the device forgets what
/// waits. Migration carries the times, and not how many events wait.</remarks>
public sealed class InterruptCoalescer : DevicePart
{
    private readonly Action _raise;
    private readonly DeviceTimer _delay, _maxDelay;
    private long _events;

    /// <summary>Adds a coalescer to a device, which has one for each cause that waits on its own.</summary>
    /// <param name="device">The device, whose clock it is.</param>
    /// <param name="raise">Called for the events that waited: raises the interrupt. Also called within <see cref="Add"/> and
    /// <see cref="Flush"/>.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    public InterruptCoalescer(PciDevice device, Action raise)
        : base(device)
    {
        _raise = raise;
        _delay = Device.AddTimer(Raise);
        _maxDelay = Device.AddTimer(Raise);
    }

    /// <summary>Whether there are events of which the guest has not been told.</summary>
    public bool IsPending => _delay.IsRunning || _maxDelay.IsRunning;

    /// <summary>Something has happened.</summary>
    /// <param name="events">How often, from 1.</param>
    /// <param name="when">When the guest is told: as its registers say now. Any values do no harm; negative ones are zero.</param>
    public void Add(int events, in InterruptCoalescing when)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(events, 1);
        _events += events;
        if (when.Delay <= TimeSpan.Zero || (when.MaxEvents > 0 && _events >= when.MaxEvents))
        {
            Raise();
            return;
        }
        bool hasMaximum = when.MaxDelay > TimeSpan.Zero;
        if (!hasMaximum || when.Delay < when.MaxDelay)
            _delay.Start(when.Delay);
        if (hasMaximum && !_maxDelay.IsRunning)
            _maxDelay.Start(when.MaxDelay);
    }

    /// <summary>Tells the guest now, if anything waits.</summary>
    public void Flush()
    {
        if (IsPending)
            Raise();
    }

    /// <summary>Ends the waiting without an interrupt: another one that is being sent tells of these events, too.</summary>
    /// <returns>Whether anything waited.</returns>
    public bool TakePending()
    {
        bool isPending = IsPending;
        Reset();
        return isPending;
    }

    /// <summary>Forgets what waits: for a reset by the driver.</summary>
    public void Reset()
    {
        _events = 0;
        if (!IsPending)
            return; // so it is for each event that interrupts at once
        _delay.Stop();
        _maxDelay.Stop();
    }

    /// <inheritdoc/>
    protected internal override void OnReset(ResetReason reason) => Reset();

    private void Raise()
    {
        Reset();
        _raise();
    }
}
