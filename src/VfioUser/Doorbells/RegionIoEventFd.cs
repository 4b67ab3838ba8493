using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>An ioeventfd: a handler for writes that arrive through an eventfd, or by message.</summary>
/// <remarks>
/// <para>
/// A client that requests it gets an eventfd, which KVM signals when the guest writes: no message is sent, and the Command
/// thread is not involved. Other clients send REGION_WRITE, and the same handler runs.
/// </para>
/// <para>
/// The handler never runs concurrently with itself. With <see cref="NotificationMode.Threaded"/> it runs on the device's
/// ioeventfd thread, and on the Command thread for messages; with <see cref="NotificationMode.Polling"/> only in
/// <see cref="Poll"/>. Other code of the device may run on the Command thread meanwhile, except resets: a reset waits for the
/// handler, and discards pending signals. So does a disconnect. While migration has stopped the device the handler does not run:
/// signals before the stop are handled before <see cref="PciDevice.OnStopped"/>, later ones when the device runs again. An eventfd
/// counts signals and does not queue them: one call may stand for several writes. An exception is logged and passed to
/// <see cref="VfioUserServerOptions.OnDeviceException"/>.
/// </para>
/// <para>
/// Every client gets its own eventfd, which is closed when it disconnects, so that an earlier client cannot signal; unless the device
/// has brought one, <see cref="IoEventFdOptions.EventFd"/>.
/// Spec: "Region I/O via file descriptors".
/// </para>
/// </remarks>
public sealed class RegionIoEventFd : INotifier, IFdSource
{
    private readonly Lock _gate = new();
    private readonly PciDevice _device;
    private readonly Action _handler;
    private readonly EventFd? _own;
    private EventFd? _eventFd; // that clients have, or will have
    private bool _pending;
    private bool _watched; // Command thread

    internal RegionIoEventFd(PciDevice device, Action handler, IoEventFdOptions options)
    {
        _device = device;
        _handler = handler;
        Mode = options.Mode;
        Spin = options.Spin;
        HasOwnThread = options.OwnThread;
        _own = _eventFd = options.EventFd;
    }

    /// <summary>On whose thread the handler runs.</summary>
    public NotificationMode Mode { get; }

    internal TimeSpan Spin { get; }

    internal bool HasOwnThread { get; }

    /// <summary>Adds a sub-region whose writes signal the same eventfd.</summary>
    /// <param name="region">The same region or another one of the device.</param>
    /// <param name="offset">First byte, relative to <paramref name="region"/>.</param>
    /// <param name="size">Width of the writes that signal it, in bytes: 1, 2, 4 or 8; 0 for any.</param>
    /// <param name="datamatch">The value that signals it; null for any value.</param>
    /// <exception cref="ArgumentException">It does not fit, an ioeventfd matches some of its writes already, or the region is
    /// another device's.</exception>
    /// <remarks>Setup.</remarks>
    public void AddSubRegion(Region region, long offset, int size = sizeof(uint), ulong? datamatch = null)
    {
        ArgumentNullException.ThrowIfNull(region);
        if (region.Device != _device)
            throw new ArgumentException($"{region.Index} belongs to another device.", nameof(region));
        region.AddSubRegion(this, offset, new IoEventFdOptions { Size = size, Datamatch = datamatch });
    }

    /// <summary>Calls the handler if a guest has written since the last poll.</summary>
    /// <returns>Whether it was called.</returns>
    /// <remarks>
    /// Any thread; never waits for the guest, only for a running handler. Makes a system call if a client has the eventfd.
    /// Do not hold a lock that the handler takes.
    /// </remarks>
    /// <exception cref="IOException">The system failed to read the eventfd.</exception>
    public bool Poll()
    {
        lock (_gate)
        {
            if (!TakeSignals())
                return false;
            if (!_device.Activity.AllowsNotifications(polled: Mode == NotificationMode.Polling))
            {
                // the eventfd is read anyway: if it stayed readable, the waiting thread would spin
                Volatile.Write(ref _pending, true);
                return false;
            }
            _device.Notifiers.Guard(DeviceCallback.IoEventFd, static handler => handler(), _handler);
            return true;
        }
    }

    internal void SignalFromMessage()
    {
        if (Mode == NotificationMode.Polling)
        {
            Volatile.Write(ref _pending, true);
            // the device may wait for it; a client that has filled its counter must not block this thread
            if (_own is { IsFull: false })
                _own.Signal();
            return;
        }
        lock (_gate)
            _handler(); // an exception fails the command
    }

    /// <summary>The eventfd to wait for; null until a client requests it.</summary>
    internal SafeHandle? Handle => _eventFd?.Handle;

    SafeHandle IFdSource.Open()
    {
        if (_eventFd is null)
        {
            EventFd made = Make();
            lock (_gate)
                _eventFd = made;
        }
        if (Mode == NotificationMode.Threaded && !_watched)
        {
            _watched = true;
            _device.Notifiers.Watch(this);
        }
        return _eventFd.Handle;
    }

    void INotifier.Enter() => _gate.Enter();

    void INotifier.Exit() => _gate.Exit();

    void INotifier.Discard() => TakeSignals();

    void INotifier.Drain()
    {
        if (Mode == NotificationMode.Polling)
            return;
        lock (_gate)
        {
            if (TakeSignals())
                _device.Notifiers.Guard(DeviceCallback.IoEventFd, static handler => handler(), _handler);
        }
    }

    void INotifier.Continue()
    {
        lock (_gate)
        {
            if (_pending && Mode == NotificationMode.Threaded)
                _eventFd?.Signal();
        }
    }

    void INotifier.Attached()
    {
        // the eventfd is created when the client requests it
    }

    void INotifier.Detached()
    {
        lock (_gate)
        {
            TakeSignals();
            _watched = false;
            if (_own is not null)
                return;
            _eventFd?.Dispose();
            _eventFd = null;
        }
    }

    // Detached closes it; in a separate method since the analyzers would require a Dispose for a field created in place
    private static EventFd Make() => new();

    // Holding _gate.
    private bool TakeSignals() => Interlocked.Exchange(ref _pending, false) | _eventFd?.TakeShared() > 0;
}
