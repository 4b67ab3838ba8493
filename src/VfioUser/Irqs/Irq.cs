using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One interrupt vector.</summary>
/// <remarks>
/// Any thread. A trigger costs one <c>write</c> to the eventfd that the client gave, and allocates nothing.
/// Spec: VFIO_USER_DEVICE_SET_IRQS.
/// </remarks>
public class Irq
{
    private readonly Lock _lock = new();
    private readonly bool _autoMask;
    private EventFd? _trigger;
    private EventFd? _onMask;
    private EventFd? _onUnmask;
    private bool _masked;
    private bool _pending;
    private IrqMeter? _meter;

    internal Irq(PciIrq type, int vector, bool autoMask = false)
    {
        Type = type;
        Vector = vector;
        _autoMask = autoMask;
    }

    /// <summary>What kind of interrupt it is.</summary>
    public PciIrq Type { get; }

    /// <summary>Its number within its type, from 0.</summary>
    public int Vector { get; }

    /// <summary>Whether the client wants to hear of it: it gave an eventfd.</summary>
    public bool IsEnabled => Volatile.Read(ref _trigger) is not null;

    /// <summary>Whether the client has masked it; a trigger is kept until it unmasks it.</summary>
    public bool IsMasked => Volatile.Read(ref _masked);

    /// <summary>Whether it was triggered while it was masked.</summary>
    public bool IsPending => Volatile.Read(ref _pending);

    /// <summary>Whether the interrupt's condition still holds, so that unmasking delivers it again.</summary>
    private protected virtual bool IsAsserted => false;

    /// <summary>Takes note of the level. Under the lock.</summary>
    private protected virtual void LevelChanged(bool asserted)
    {
    }

    /// <summary>Whether something besides the mask keeps it from being delivered now.</summary>
    private protected virtual bool IsHeldBack => false;

    /// <summary>Interrupts the guest.</summary>
    /// <returns>True when the guest was interrupted, or will be once it unmasks the vector; false when no client listens.</returns>
    /// <remarks>What the device wrote before is visible to the guest when it is interrupted.</remarks>
    public bool Trigger()
    {
        lock (_lock)
            return Deliver();
    }

    /// <summary>Counts what is sent; null as long as there was no client.</summary>
    internal IrqMeter? Meter
    {
        set => Volatile.Write(ref _meter, value);
    }

    internal void SetTrigger(EventFd? eventFd)
    {
        Replace(ref _trigger, eventFd);
        // a level that stands interrupts whoever begins to listen
        if (eventFd is not null)
            DeliverIfAsserted();
    }

    internal void SetMaskListener(EventFd? eventFd) => Replace(ref _onMask, eventFd);

    internal virtual void SetUnmaskListener(EventFd? eventFd) => Replace(ref _onUnmask, eventFd);

    internal void Mask()
    {
        lock (_lock)
            SetMasked(true);
    }

    internal void Unmask()
    {
        lock (_lock)
        {
            SetMasked(false);
            DeliverHeld();
        }
    }

    /// <summary>Back to the state before any client; the condition of the device stays.</summary>
    internal void Disable()
    {
        SetTrigger(null);
        SetMaskListener(null);
        SetUnmaskListener(null);
        lock (_lock)
            _masked = _pending = false;
    }

    /// <summary>A reset of the device: nothing is pending any more; the client's eventfds stay.</summary>
    internal virtual void Reset()
    {
        lock (_lock)
            _masked = _pending = false;
    }

    /// <summary>What of the vector moves to another host: bit 0, an interrupt is pending; bit 1, the pin is asserted.</summary>
    internal byte SaveState()
    {
        lock (_lock)
            return (byte)((_pending ? 1 : 0) | (IsAsserted ? 2 : 0));
    }

    /// <summary>Takes over what was saved, and delivers nothing yet: the device is stopped.</summary>
    internal void RestoreState(byte state)
    {
        lock (_lock)
        {
            _pending = (state & 1) != 0;
            LevelChanged((state & 2) != 0);
        }
    }

    /// <summary>The device runs again. A client that does not listen yet gets it when it does.</summary>
    internal void DeliverRestored()
    {
        lock (_lock)
        {
            if (_trigger is not null)
                DeliverHeld();
        }
    }

    private protected void DeliverIfAsserted()
    {
        lock (_lock)
            DeliverHeld();
    }

    /// <summary>Changes what <see cref="IsAsserted"/> depends on, in one piece with what follows from it.</summary>
    private protected bool SetLevel(bool asserted)
    {
        lock (_lock)
        {
            LevelChanged(asserted);
            if (asserted)
                return Deliver();
            _pending = false;
            return false;
        }
    }

    // Under the lock.
    private void DeliverHeld()
    {
        if (!_masked && (_pending || IsAsserted))
        {
            _pending = false;
            Deliver();
        }
    }

    private bool Deliver()
    {
        if (_trigger is null)
            return false;
        if (_masked || IsHeldBack)
        {
            _pending = true;
            return true;
        }
        if (!_trigger.Signal())
            return false;
        _meter?.Sent();
        if (_autoMask)
            SetMasked(true);
        return true;
    }

    private void SetMasked(bool masked)
    {
        if (_masked == masked)
            return;
        _masked = masked;
        (masked ? _onMask : _onUnmask)?.Signal();
    }

    private void Replace(ref EventFd? place, EventFd? eventFd)
    {
        EventFd? old;
        lock (_lock)
        {
            old = place;
            place = eventFd;
        }
        old?.Dispose();
    }
}
