namespace VfioUser;

/// <summary>What runs on a device's Command thread without a command: expired timers, posted actions and requested resets.</summary>
/// <remarks>They run while the device is served, with or without a client, except from the request to quiesce until it is resumed.</remarks>
/// <param name="activity">The device's.</param>
internal sealed class CommandWork(DeviceActivity activity)
{
    // then the client's commands have their turn
    private const int MaxPostsInARow = 64;

    private readonly PostQueue _posts = new();
    private readonly TimerSet _timers = new();
    private readonly Lock _gate = new();
    private readonly object _idle = new();
    private ICommandThread? _thread; // guarded by _gate, so that no thread is woken after End
    private TimeProvider _time = TimeProvider.System;
    private bool _isRunning; // under _idle

    /// <summary>Whether something can run now. Any thread; the Command thread asks before it sleeps.</summary>
    public bool IsReady => (_posts.Count != 0 || _timers.IsDue || Resets.IsWaiting) && activity.AllowsWork;

    /// <summary>Resets that the device has requested.</summary>
    public ResetRequests Resets { get; } = new();

    /// <summary>When the next timer expires, as a timestamp of its clock, or <see cref="TimerSet.Never"/>.</summary>
    public long NextDue => _timers.Next;

    /// <summary>The clock of the timers. Any thread.</summary>
    public TimeProvider Time => Volatile.Read(ref _time);

    /// <summary>Size of the timers' migration state in bytes; 0 without timers.</summary>
    public int TimerStateSize => _timers.Count * TimerSet.StateSize;

    /// <summary>A server starts to serve the device.</summary>
    public void Begin(ICommandThread thread)
    {
        lock (_gate)
            _thread = thread;
        Volatile.Write(ref _time, thread.Time);
        _timers.SetClock(thread.Time);
        Announce();
    }

    /// <summary>The device is no longer served. What is queued is kept.</summary>
    public void End()
    {
        lock (_gate)
            _thread = null;
        _timers.SetClock(null);
    }

    /// <summary>A time that was passed to <see cref="ICommandThread.WakeAt"/> has come. Any thread.</summary>
    public void TimePassed()
    {
        lock (_gate)
            _thread?.Wake();
        // its timer may have been stopped since
        if (!_timers.IsDue)
            Announce();
    }

    /// <summary>Any thread.</summary>
    public void Post(Action action, bool untilReset)
    {
        _posts.Add(action, untilReset);
        lock (_gate)
            _thread?.Wake();
    }

    /// <summary>Any thread.</summary>
    public Task<bool> RequestReset()
    {
        Task<bool> done = Resets.Add();
        lock (_gate)
            _thread?.Wake();
        return done;
    }

    /// <summary>Setup.</summary>
    public DeviceTimer AddTimer(Action due)
    {
        DeviceTimer timer = new(this, due);
        _timers.Add(timer);
        return timer;
    }

    /// <summary>Any thread.</summary>
    public void Start(DeviceTimer timer, long ticks, long period)
    {
        _timers.Start(timer, ticks, period);
        Announce();
    }

    /// <summary>Any thread.</summary>
    public void Stop(DeviceTimer timer) => _timers.Stop(timer);

    /// <summary>Runs expired timers and a limited number of posted actions, and begins a requested reset. Command thread.</summary>
    public void RunReady()
    {
        if (!IsReady)
            return;
        lock (_idle)
            _isRunning = true;
        RunTimers();
        RunPosts(MaxPostsInARow);
        if (Resets.IsWaiting)
            Current?.Reset();
        lock (_idle)
        {
            _isRunning = false;
            Monitor.PulseAll(_idle);
        }
    }

    /// <summary>Waits until nothing runs and nothing is ready.</summary>
    /// <returns>False on timeout.</returns>
    public bool AwaitIdle(TimeSpan timeout)
    {
        long began = TimeProvider.System.GetTimestamp();
        lock (_idle)
        {
            while (_isRunning || IsReady)
            {
                TimeSpan left = timeout - TimeProvider.System.GetElapsedTime(began);
                if (left <= TimeSpan.Zero || !Monitor.Wait(_idle, left))
                    return false;
            }
        }
        return true;
    }

    /// <summary>Migration is about to stop the device: runs all actions posted so far, and stops the clock. Command thread.</summary>
    public void Stop()
    {
        RunPosts(int.MaxValue);
        _timers.SetStopped(true);
    }

    /// <summary>The device runs again, or could not be stopped. Command thread.</summary>
    public void Continue()
    {
        _timers.SetStopped(false);
        Announce();
    }

    /// <summary>The device was reset. Command thread.</summary>
    public void Reset()
    {
        _timers.Reset();
        _posts.DropUntilReset();
    }

    /// <summary>Saves the timers. The device is stopped.</summary>
    public void SaveTimers(Span<byte> destination) => _timers.Save(destination);

    /// <summary>Restores the timers. The device is stopped.</summary>
    public void RestoreTimers(ReadOnlySpan<byte> source) => _timers.Restore(source);

    /// <summary>The device's state was restored, which ends what was before like a reset.</summary>
    public void Restored() => _posts.DropUntilReset();

    private ICommandThread? Current
    {
        get
        {
            lock (_gate)
                return _thread;
        }
    }

    private void Announce()
    {
        if (_timers.Next == TimerSet.Never)
            return;
        lock (_gate)
        {
            if (_timers.Next is var next and not TimerSet.Never)
                _thread?.WakeAt(next);
        }
    }

    private void RunTimers()
    {
        // a timer that expires again at once waits for the next call
        int left = _timers.Count;
        bool any = false;
        for (; left > 0 && _timers.TakeDue() is { } callback; left--)
        {
            any = true;
            Run(DeviceCallback.Timer, callback);
        }
        if (any)
            Announce();
    }

    private void RunPosts(int most)
    {
        // what these post waits for the next call
        for (int left = Math.Min(most, _posts.Count); left > 0 && _posts.Take() is { } action; left--)
            Run(DeviceCallback.Post, action);
    }

    private void Run(DeviceCode code, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e)
        {
            Current?.Threw(code, e);
        }
    }
}
