namespace VfioUser;

/// <summary>All of a device's sources of calls that are not commands, and the thread that watches its eventfds.</summary>
/// <remarks>Command thread, but for what says otherwise.</remarks>
internal sealed class Notifiers
{
    private readonly List<INotifier> _all = [];
    private IoEventFdWatcher? _watcher;
    private Action<DeviceCode, Exception>? _threw;

    /// <summary>Setup.</summary>
    public void Add(INotifier notifier) => _all.Add(notifier);

    /// <summary>A client is there.</summary>
    /// <param name="threw">Told of exceptions of the device, on any thread.</param>
    public void Attach(Action<DeviceCode, Exception> threw)
    {
        Volatile.Write(ref _threw, threw);
        foreach (INotifier notifier in _all)
            notifier.Attached();
    }

    /// <summary>The client has gone. Waits for calls that run. Without effect if there was none.</summary>
    public void Detach()
    {
        _watcher?.Dispose();
        _watcher = null;
        foreach (INotifier notifier in _all)
            notifier.Detached();
        Volatile.Write(ref _threw, null);
    }

    /// <summary>Has an eventfd watched until the client has gone. The thread starts with the first one.</summary>
    public void Watch(RegionIoEventFd ioEventFd) => (_watcher ??= new IoEventFdWatcher(e => Report(DeviceCallback.IoEventFd, e))).Add(ioEventFd);

    /// <summary>The device is about to be stopped: what the guest signalled before belongs to its state. What the device polls
    /// for itself stays until it is stopped, for the same reason.</summary>
    public void Drain()
    {
        foreach (INotifier notifier in _all)
            notifier.Drain();
    }

    /// <summary>Waits for calls that began before the device's state changed.</summary>
    public void Settle()
    {
        foreach (INotifier notifier in _all)
        {
            notifier.Enter();
            notifier.Exit();
        }
    }

    /// <summary>The device works again. Without effect if it did already.</summary>
    public void Continue()
    {
        foreach (INotifier notifier in _all)
            notifier.Continue();
    }

    /// <summary>The device is another now: what was rung before was not for it.</summary>
    public void Discard() => RunSuspended(() => { });

    /// <summary>Does something while no call runs; what was notified before or meanwhile is forgotten.</summary>
    public void RunSuspended(Action action)
    {
        foreach (INotifier notifier in _all)
            notifier.Enter();
        try
        {
            action();
        }
        finally
        {
            try
            {
                foreach (INotifier notifier in _all)
                    notifier.Discard();
            }
            finally
            {
                foreach (INotifier notifier in _all)
                    notifier.Exit();
            }
        }
    }

    /// <summary>Runs code of the device. Any thread. Without a client there is nobody to tell, so the caller hears of an exception.</summary>
    /// <param name="code">Which code it is.</param>
    /// <param name="action">Static, so that nothing is allocated.</param>
    /// <param name="state">Handed to it.</param>
    public void Guard<TState>(in DeviceCode code, Action<TState> action, TState state)
    {
        try
        {
            action(state);
        }
        catch (Exception e) when (Volatile.Read(ref _threw) is not null)
        {
            Report(code, e);
        }
    }

    /// <summary>Tells of an exception of the device, if there is a session to tell. Any thread.</summary>
    public void Report(DeviceCode code, Exception exception) => Volatile.Read(ref _threw)?.Invoke(code, exception);
}
