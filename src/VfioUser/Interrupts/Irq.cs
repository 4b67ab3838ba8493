using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One interrupt vector.</summary>
/// <remarks>
/// Any thread. A trigger costs one <c>write</c> to the eventfd that the client gave, and allocates nothing.
/// Spec: VFIO_USER_DEVICE_SET_IRQS.
/// </remarks>
public class Irq
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(10);

    private readonly Lock _lock = new();
    private readonly bool _autoMask;
    private EventFd? _trigger;
    private EventFd? _onMask;
    private EventFd? _onUnmask;
    private bool _masked;
    private bool _maskedItself; // when it was delivered, and the client has not unmasked it since
    private bool _pending;
    private Action<bool>? _maskChanged;
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

    /// <summary>Whether it was triggered while it was masked, or before the client gave an eventfd for what the guest has enabled.</summary>
    public bool IsPending => Volatile.Read(ref _pending);

    /// <summary>Set when the device gets the vector.</summary>
    internal PciDevice? Device { get; set; }

    /// <summary>Whether the interrupt's condition still holds, so that unmasking delivers it again.</summary>
    private protected virtual bool IsLevelAsserted => false;

    /// <summary>Takes note of the level. Under the lock.</summary>
    private protected virtual void LevelChanged(bool asserted)
    {
    }

    /// <summary>The level may be delivered again: it is brought up to date first. Not under the lock.</summary>
    private protected virtual void Resample()
    {
    }

    /// <summary>Whether something besides the mask keeps it from being delivered now.</summary>
    private protected virtual bool IsInhibited => false;

    /// <summary>Whether the guest has enabled the vector, so that it is kept for a client that has no eventfd there yet.</summary>
    private protected virtual bool IsEnabledByGuest => false;

    /// <summary>Takes note of whether it waits. Under the lock.</summary>
    private protected virtual void PendingChanged(bool pending)
    {
    }

    /// <summary>Interrupts the guest.</summary>
    /// <returns>True when the guest was interrupted, or will be: once it unmasks the vector, or the client gives an eventfd for
    /// an MSI or MSI-X vector that the guest has enabled. False when nobody listens.</returns>
    /// <remarks>What the device wrote before is visible to the guest when it is interrupted.</remarks>
    public bool Trigger()
    {
        lock (_lock)
            return Deliver();
    }

    /// <summary>Has a handler called when the client has masked or unmasked the vector, which the library sees to by itself.</summary>
    /// <param name="handler">Gets whether it is masked now. Replaces an earlier one. Not called when <see cref="Intx"/> masks
    /// itself, nor when a reset or the client's end unmasks.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. The handler runs on the Command thread; for <see cref="Intx"/> also on the thread that watches the
    /// client's eventfd for unmasking. Spec: VFIO_USER_DEVICE_SET_IRQS.</remarks>
    public void AddMaskChangeHandler(Action<bool> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        Device?.ThrowIfServed();
        _maskChanged = handler;
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
            RetryDelivery();
    }

    internal void SetMaskListener(EventFd? eventFd) => Replace(ref _onMask, eventFd);

    internal virtual void SetUnmaskListener(EventFd? eventFd) => Replace(ref _onUnmask, eventFd);

    internal void Mask()
    {
        bool changed;
        using (EnterForClient())
            changed = SetMasked(true);
        if (changed)
            _maskChanged?.Invoke(true);
    }

    internal void Unmask()
    {
        bool changed;
        Resample();
        using (EnterForClient())
        {
            changed = SetMasked(false);
            DeliverPending();
        }
        if (changed)
            _maskChanged?.Invoke(false);
    }

    /// <summary>What held it back besides the mask may have gone.</summary>
    internal void RetryDelivery()
    {
        Resample();
        using (EnterForClient())
            DeliverPending();
    }

    /// <summary>The guest wrote to the capability: what it turned off waits no more, and what it let go is delivered.</summary>
    internal void CapabilityWritten()
    {
        using (EnterForClient())
        {
            if (_trigger is null && !IsEnabledByGuest)
                SetPending(false);
            DeliverPending();
        }
    }

    /// <summary>Back to the state before any client; the condition of the device stays, and what the guest waits for: the
    /// client may be about to hand in eventfds again.</summary>
    internal void Disable()
    {
        SetTrigger(null);
        SetMaskListener(null);
        SetUnmaskListener(null);
        using (EnterForClient())
        {
            _masked = _maskedItself = false;
            if (!IsEnabledByGuest)
                SetPending(false);
        }
    }

    /// <summary>Nobody is there for whom anything could wait.</summary>
    internal void ClientGone()
    {
        Disable();
        ClearMaskAndPending();
    }

    /// <summary>A reset of the device: nothing is pending any more; the client's eventfds stay.</summary>
    internal virtual void Reset() => ClearMaskAndPending();

    /// <summary>What of the vector moves to another host: bit 0, an interrupt is pending; bit 1, the pin is asserted.</summary>
    internal byte SaveState()
    {
        lock (_lock)
            return (byte)((_pending ? 1 : 0) | (IsLevelAsserted ? 2 : 0));
    }

    /// <summary>Takes over what was saved, and delivers nothing yet: the device is stopped.</summary>
    internal void RestoreState(byte state)
    {
        lock (_lock)
        {
            SetPending((state & 1) != 0);
            LevelChanged((state & 2) != 0);
        }
    }

    /// <summary>The device runs again. A client that does not listen yet gets it when it does.</summary>
    internal void DeliverRestored()
    {
        lock (_lock)
        {
            if (_trigger is not null)
                DeliverPending();
        }
    }

    /// <summary>Frees a thread that signals one of the client's eventfds and waits: the client filled it and made it block.</summary>
    internal void Unblock()
    {
        Empty(Volatile.Read(ref _trigger));
        Empty(Volatile.Read(ref _onMask));
        Empty(Volatile.Read(ref _onUnmask));
    }

    /// <summary>Changes what <see cref="IsLevelAsserted"/> depends on, in one piece with what follows from it.</summary>
    private protected bool SetLevel(bool asserted)
    {
        lock (_lock)
        {
            LevelChanged(asserted);
            if (asserted)
                return Deliver();
            SetPending(false);
            TakeBack();
            return false;
        }
    }

    // Under the lock. A client that reads the signal of a level that is gone would interrupt its guest for nothing; as long as
    // it has not read it, it is as if it had never been sent. QEMU without KVM's delivery keeps its line raised until the
    // guest's next access to a BAR, which a driver that finds nothing to do does not make.
    private void TakeBack()
    {
        if (!_maskedItself || Take(_trigger) == 0)
            return;
        _maskedItself = false;
        SetMasked(false);
    }

    // Under the lock.
    private void DeliverPending()
    {
        // while nobody listens it stays pending: a restored one waits for the client's eventfd
        if (_trigger is not null && !_masked && (_pending || IsLevelAsserted))
        {
            SetPending(false);
            Deliver();
        }
    }

    private bool Deliver()
    {
        if (_trigger is null)
        {
            // as behind a mask: QEMU enables MSI-X before the guest has unmasked a vector, and takes all eventfds back when
            // there are more
            if (IsEnabledByGuest)
                SetPending(true);
            return IsEnabledByGuest;
        }
        // of a device that is stopped it belongs to its state, and goes out when it runs again
        if (_masked || IsInhibited || Device is { Activity.IsStopped: true })
        {
            SetPending(true);
            return true;
        }
        if (!_trigger.Signal())
            return false;
        _meter?.Sent();
        if (_autoMask)
            _maskedItself = SetMasked(true);
        return true;
    }

    private bool SetMasked(bool masked)
    {
        _maskedItself = false;
        if (_masked == masked)
            return false;
        _masked = masked;
        (masked ? _onMask : _onUnmask)?.Signal();
        return true;
    }

    private void SetPending(bool pending)
    {
        if (_pending == pending)
            return;
        _pending = pending;
        PendingChanged(pending);
    }

    private void ClearMaskAndPending()
    {
        using (EnterForClient())
        {
            _masked = _maskedItself = false;
            SetPending(false);
        }
    }

    private void Replace(ref EventFd? place, EventFd? eventFd)
    {
        EventFd? old;
        using (EnterForClient())
        {
            old = place;
            place = eventFd;
        }
        old?.Dispose();
    }

    // What the client wants done must not wait for a thread that waits for the client.
    private Lock.Scope EnterForClient()
    {
        while (!_lock.TryEnter(RetryInterval))
            Unblock();
        Lock.Scope scope = _lock.EnterScope();
        _lock.Exit();
        return scope;
    }

    private static void Empty(EventFd? eventFd) => Take(eventFd, onlyFull: true);

    private static ulong Take(EventFd? eventFd, bool onlyFull = false)
    {
        try
        {
            return eventFd is null || (onlyFull && !eventFd.IsFull) ? 0 : eventFd.TakeShared();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            return 0; // then nobody waits for it any more
        }
    }
}
