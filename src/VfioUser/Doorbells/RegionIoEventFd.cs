using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>A handler that a client calls through an eventfd, or by message where it has none.</summary>
/// <remarks>
/// <para>
/// A client that asks for it gets an eventfd, which KVM signals when the guest writes: then no message is sent, and the
/// command thread learns nothing. Clients that do not ask send messages as ever, and the same handler runs.
/// </para>
/// <para>
/// The handler never runs twice at one time. With <see cref="NotificationMode.Threaded"/> it runs on the device's watching
/// thread, for messages on the Command thread; with <see cref="NotificationMode.Polling"/> only in <see cref="Poll"/>.
/// Other code of the device may run meanwhile on the Command thread, except for resets: a reset waits for the handler, and
/// forgets what was rung before it. So does the client's leaving. While migration has stopped the device the handler does
/// not run: what was rung before is handled before <see cref="PciDevice.OnStopped"/>, what comes then when it works again. An eventfd counts but does not queue: one call may
/// stand for several writes. An exception is logged and offered to <see cref="VfioUserServerOptions.DeviceException"/>.
/// </para>
/// <para>
/// Every client gets an eventfd of its own, which is closed when it leaves, so that an earlier one cannot ring any more.
/// Spec: "Region I/O via file descriptors".
/// </para>
/// </remarks>
public sealed class RegionIoEventFd : INotifier, IFdSource
{
    private readonly Lock _gate = new();
    private readonly PciDevice _device;
    private readonly Action _handler;
    private EventFd? _eventFd;
    private bool _pending;

    internal RegionIoEventFd(PciDevice device, Action handler, IoEventFdOptions options)
    {
        _device = device;
        _handler = handler;
        Mode = options.Mode;
        Spin = options.Spin;
    }

    /// <summary>On whose thread the handler runs.</summary>
    public NotificationMode Mode { get; }

    internal TimeSpan Spin { get; }

    /// <summary>Lets writes at one more place ring, through the same descriptor.</summary>
    /// <param name="region">The same region or another one of the device.</param>
    /// <param name="offset">First byte, relative to <paramref name="region"/>.</param>
    /// <param name="size">Width of the writes that ring, in bytes: 1, 2, 4 or 8; 0 for any.</param>
    /// <param name="datamatch">The value that rings; null for all.</param>
    /// <exception cref="ArgumentException">It does not fit, rings already, or the region is another device's.</exception>
    /// <remarks>Setup.</remarks>
    public void AddSubRegion(Region region, ulong offset, int size = sizeof(uint), ulong? datamatch = null)
    {
        ArgumentNullException.ThrowIfNull(region);
        if (region.Device != _device)
            throw new ArgumentException($"{region.Index} belongs to another device.", nameof(region));
        region.AddSubRegion(this, offset, new IoEventFdOptions { Size = size, Datamatch = datamatch });
    }

    /// <summary>Calls the handler if a guest has rung since the last time.</summary>
    /// <returns>Whether it was called.</returns>
    /// <remarks>
    /// Any thread; never waits for the guest, only for a handler that runs. Costs a system call if a client has the eventfd.
    /// Do not call it with a lock that the handler takes.
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
                // taken from the eventfd all the same: it would wake the watching thread for ever
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
            return;
        }
        lock (_gate)
            _handler(); // what it throws belongs to the command
    }

    /// <summary>The descriptor to wait on, or null before a client asked for it.</summary>
    internal SafeHandle? Handle => _eventFd?.Handle;

    SafeHandle IFdSource.Open()
    {
        if (_eventFd is null)
        {
            EventFd made = Make();
            lock (_gate)
                _eventFd = made;
            if (Mode == NotificationMode.Threaded)
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
        // its eventfd is made when the client asks for it
    }

    void INotifier.Detached()
    {
        lock (_gate)
        {
            _pending = false;
            _eventFd?.Dispose();
            _eventFd = null;
        }
    }

    // closed in Detached, not by a Dispose that nobody would call
    private static EventFd Make() => new();

    // Under the gate.
    private bool TakeSignals() => Interlocked.Exchange(ref _pending, false) | _eventFd?.TakeShared() > 0;
}
