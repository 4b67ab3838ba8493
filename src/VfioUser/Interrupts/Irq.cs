using VfioUser.Protocol;

namespace VfioUser;

/// <summary>One interrupt vector.</summary>
/// <remarks>
/// Any thread. A trigger costs one <c>write</c> to the client's eventfd, and does not allocate.
/// Spec: VFIO_USER_DEVICE_SET_IRQS.
/// </remarks>
public class Irq
{
    // longer than the 100 ms after which a lock stops letting other threads overtake a waiting one: a device that triggers all the time
    // would keep this one waiting
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private readonly bool _autoMask;
    private EventFd? _trigger;
    private EventFd? _onMask;
    private EventFd? _onUnmask;
    private bool _masked;
    private bool _maskedItself; // on delivery, and the client has not unmasked it since
    private bool _pending;
    private Action<bool>? _maskChanged;
    private IrqMeter? _meter;

    internal Irq(IrqType type, int vector, bool autoMask = false)
    {
        Type = type;
        Vector = vector;
        _autoMask = autoMask;
    }

    /// <summary>The interrupt type.</summary>
    public IrqType Type { get; }

    /// <summary>Its number within its type, from 0.</summary>
    public int Vector { get; }

    /// <summary>Whether the client has set an eventfd for it.</summary>
    public bool IsEnabled => Volatile.Read(ref _trigger) is not null;

    /// <summary>Whether it is masked; a trigger stays pending until it is unmasked.</summary>
    public bool IsMasked => Volatile.Read(ref _masked);

    /// <summary>Whether a trigger waits: for the guest to unmask or enable delivery or bus mastering, for the device to run again, or for the eventfd
    /// of a vector that the guest has enabled.</summary>
    public bool IsPending => Volatile.Read(ref _pending);

    /// <summary>Set when the vector is added to a device.</summary>
    internal PciDevice? Device { get; set; }

    /// <summary>Whether a level-triggered interrupt is asserted, so that unmasking delivers it again.</summary>
    private protected virtual bool IsLevelAsserted => false;

    /// <summary>Stores the level. Holding the lock.</summary>
    private protected virtual void LevelChanged(bool asserted)
    {
    }

    /// <summary>Updates the level before it is delivered again. Not holding the lock.</summary>
    private protected virtual void Resample()
    {
    }

    /// <summary>Whether something other than the mask inhibits delivery: Interrupt Disable, Function Mask, or a Mask Bit.</summary>
    private protected virtual bool IsInhibited => false;

    /// <summary>Whether it is a message, which only a bus master sends.</summary>
    private protected virtual bool NeedsBusMaster => false;

    /// <summary>Whether the guest has enabled the vector, so that a trigger stays pending until the client sets an eventfd.</summary>
    private protected virtual bool IsEnabledByGuest => false;

    /// <summary>Stores whether it is pending. Holding the lock.</summary>
    private protected virtual void PendingChanged(bool pending)
    {
    }

    /// <summary>Interrupts the guest.</summary>
    /// <returns>True if it was delivered or is pending: until it is unmasked; for MSI and MSI-X also until the guest enables bus
    /// mastering, or until the client sets an eventfd for a vector that the guest has enabled. False if the client has set no eventfd, or it cannot be signalled.</returns>
    /// <remarks>Earlier writes of the device to guest memory are visible when the guest is interrupted.</remarks>
    public bool Trigger()
    {
        lock (_lock)
            return Deliver();
    }

    /// <summary>Adds a handler that is called after the client has masked or unmasked the vector. The library itself handles
    /// masking.</summary>
    /// <param name="handler">Gets whether it is masked now. Not called when <see cref="Intx"/> masks itself, nor when a reset or a
    /// disconnect unmasks. Several handlers are called in the order in which they were added.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. The handler runs on the Command thread; for <see cref="Intx"/> also on the thread that waits for the client's
    /// unmask eventfd. Spec: VFIO_USER_DEVICE_SET_IRQS.</remarks>
    public void AddMaskChangeHandler(Action<bool> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        Device?.ThrowIfServed();
        _maskChanged += handler;
    }

    /// <summary>Counts delivered interrupts; null until a client attaches.</summary>
    internal IrqMeter? Meter
    {
        set => Volatile.Write(ref _meter, value);
    }

    /// <summary>The client interrupts itself, to try its eventfd: the device sends nothing, so that it need not be a bus master.</summary>
    internal void TriggerByClient()
    {
        lock (_lock)
            Deliver(byClient: true);
    }

    internal void SetTrigger(EventFd? eventFd)
    {
        Replace(ref _trigger, eventFd);
        // an asserted level is delivered to the new eventfd
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

    /// <summary>Delivers it if it is pending or asserted, after something that inhibited it may have changed.</summary>
    internal void RetryDelivery()
    {
        Resample();
        using (EnterForClient())
            DeliverPending();
    }

    /// <summary>The guest wrote to the capability: a vector that it disabled is no longer pending, and one that it unmasked is
    /// delivered.</summary>
    internal void CapabilityWritten()
    {
        using (EnterForClient())
        {
            if (_trigger is null && !IsEnabledByGuest)
                SetPending(false);
            DeliverPending();
        }
    }

    /// <summary>Removes the client's eventfds and mask. The level stays, and so do pending vectors that the guest has enabled: the
    /// client may be about to set eventfds again.</summary>
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

    /// <summary>The client has disconnected: nothing stays pending.</summary>
    internal void ClientGone()
    {
        Disable();
        ClearMaskAndPending();
    }

    /// <summary>The device is reset: unmasked, and no longer pending; the client's eventfds stay.</summary>
    internal virtual void Reset() => ClearMaskAndPending();

    /// <summary>The state to migrate: bit 0, pending; bit 1, INTx is asserted.</summary>
    internal byte SaveState()
    {
        lock (_lock)
            return (byte)((_pending ? 1 : 0) | (IsLevelAsserted ? 2 : 0));
    }

    /// <summary>Restores the saved state. Delivers nothing yet: the device is stopped.</summary>
    internal void RestoreState(byte state)
    {
        lock (_lock)
        {
            SetPending((state & 1) != 0);
            LevelChanged((state & 2) != 0);
        }
    }

    /// <summary>The device runs again: delivers what is pending or asserted, unless the client has not set an eventfd yet.</summary>
    internal void DeliverRestored()
    {
        lock (_lock)
        {
            if (_trigger is not null)
                DeliverPending();
        }
    }

    /// <summary>Unblocks a thread that is signalling one of the client's eventfds: a hostile client can fill one and make it
    /// blocking.</summary>
    internal void Unblock()
    {
        Empty(Volatile.Read(ref _trigger));
        Empty(Volatile.Read(ref _onMask));
        Empty(Volatile.Read(ref _onUnmask));
    }

    /// <summary>Changes the level, and delivers or withdraws the interrupt under the same lock.</summary>
    private protected bool SetLevel(bool asserted)
    {
        lock (_lock)
        {
            LevelChanged(asserted);
            if (asserted)
                return Deliver();
            SetPending(false);
            Withdraw();
            return false;
        }
    }

    // Holding the lock. Withdraws the signal of a level that is deasserted, unless the client has read it: it would interrupt the
    // guest for nothing. QEMU without irqfd then keeps the line raised until the guest's next access to a BAR, and a driver that
    // finds no work makes none.
    private void Withdraw()
    {
        if (!_maskedItself || Take(_trigger) == 0)
            return;
        _maskedItself = false;
        SetMasked(false);
    }

    // Holding the lock.
    private void DeliverPending()
    {
        // without an eventfd it stays pending: a restored interrupt waits for the client to set one
        if (_trigger is not null && !_masked && (_pending || IsLevelAsserted))
        {
            SetPending(false);
            Deliver();
        }
    }

    private bool Deliver(bool byClient = false)
    {
        if (_trigger is null)
        {
            // as if masked: QEMU enables MSI-X before the guest has unmasked a vector, and removes all eventfds while it adds
            // more
            if (IsEnabledByGuest)
                SetPending(true);
            return IsEnabledByGuest;
        }
        // an interrupt of a stopped device is part of its state: it is delivered when the device runs again
        if (_masked || IsInhibited || Device is { Activity.IsStopped: true } || (NeedsBusMaster && !byClient && Device is { MayMaster: false }))
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

    private protected void ClearMaskAndPending()
    {
        using (EnterForClient())
        {
            _masked = _maskedItself = false;
            SetPending(false);
        }
    }

    private void Replace(ref EventFd? current, EventFd? eventFd)
    {
        EventFd? old;
        using (EnterForClient())
        {
            old = current;
            current = eventFd;
        }
        old?.Dispose();
    }

    // A command of the client must not wait for a thread that waits for the client to read an eventfd.
    private Lock.Scope EnterForClient()
    {
        while (!_lock.TryEnter(RetryInterval))
            Unblock();
        // TryEnter returns no scope: enter once more for one, and leave once
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
            return 0; // closed, or not an eventfd: no thread is blocked in it
        }
    }
}
