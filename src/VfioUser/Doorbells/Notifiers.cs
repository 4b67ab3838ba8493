namespace VfioUser;

/// <summary>A device's ioeventfds and doorbell pages, and the thread that waits for its ioeventfds.</summary>
/// <remarks>Command thread, except where noted.</remarks>
internal sealed class Notifiers
{
    private readonly List<INotifier> _all = [];
    private readonly List<IoEventFdWatcher> _ownThreads = [];
    private IoEventFdWatcher? _watcher;
    private Action<DeviceCode, Exception>? _threw;

    /// <summary>Setup.</summary>
    public void Add(INotifier notifier) => _all.Add(notifier);

    /// <summary>A client has attached.</summary>
    /// <param name="threw">Called with exceptions of the device, on any thread.</param>
    public void Attach(Action<DeviceCode, Exception> threw)
    {
        Volatile.Write(ref _threw, threw);
        foreach (INotifier notifier in _all)
            notifier.Attached();
    }

    /// <summary>The client has disconnected. Waits for running calls. Without effect if there was no client.</summary>
    public void Detach()
    {
        _watcher?.Dispose();
        _watcher = null;
        foreach (IoEventFdWatcher watcher in _ownThreads)
            watcher.Dispose();
        _ownThreads.Clear();
        foreach (INotifier notifier in _all)
            notifier.Detached();
        Volatile.Write(ref _threw, null);
    }

    /// <summary>Waits for an ioeventfd until the client disconnects. The first one starts the thread.</summary>
    public void Watch(RegionIoEventFd ioEventFd)
    {
        if (ioEventFd.HasOwnThread)
            _ownThreads.Add(NewWatcher());
        (ioEventFd.HasOwnThread ? _ownThreads[^1] : _watcher ??= NewWatcher()).Add(ioEventFd);

        IoEventFdWatcher NewWatcher() => new(e => Report(DeviceCallback.IoEventFd, e));
    }

    /// <summary>Handles pending notifications before the device is stopped: they belong to the state that is saved. Those that the
    /// device polls for stay, since it may poll until it is stopped.</summary>
    public void Drain()
    {
        foreach (INotifier notifier in _all)
            notifier.Drain();
    }

    /// <summary>Waits for calls that started before the device's state changed.</summary>
    public void Settle()
    {
        foreach (INotifier notifier in _all)
        {
            notifier.Enter();
            notifier.Exit();
        }
    }

    /// <summary>The device runs again. Without effect if it was running.</summary>
    public void Continue()
    {
        foreach (INotifier notifier in _all)
            notifier.Continue();
    }

    /// <summary>Discards pending notifications, after a restore: they were meant for the state before it.</summary>
    public void Discard() => RunSuspended(() => { });

    /// <summary>Runs an action while no call is running, and discards notifications that arrived until its end.</summary>
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

    /// <summary>Runs code of the device and reports an exception. Any thread. Without a client, the exception reaches the caller.</summary>
    /// <param name="code">Which code it is.</param>
    /// <param name="action">Static, so that nothing is allocated.</param>
    /// <param name="state">Passed to <paramref name="action"/>.</param>
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

    /// <summary>Reports an exception of the device if a client is attached. Any thread.</summary>
    public void Report(DeviceCode code, Exception exception) => Volatile.Read(ref _threw)?.Invoke(code, exception);
}
