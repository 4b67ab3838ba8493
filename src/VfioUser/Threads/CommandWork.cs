namespace VfioUser;

/// <summary>What a device has run on its Command thread without a command: posted actions.</summary>
/// <remarks>
/// It runs while the device is served, with a client or without one, but not from when the device is asked to quiesce until it is
/// resumed: then it waits.
/// </remarks>
/// <param name="activity">The device's.</param>
internal sealed class CommandWork(DeviceActivity activity)
{
    // so that the client's commands get their turn
    private const int MaxPostsInARow = 64;

    private readonly PostQueue _posts = new();
    private readonly Lock _gate = new();
    private ICommandThread? _thread; // under the gate: who is gone is not woken any more

    /// <summary>Whether there is something that may run now. Any thread; what the Command thread asks before it sleeps.</summary>
    public bool IsReady => _posts.Count != 0 && activity.AllowsWork;

    /// <summary>The device is served from now on.</summary>
    public void Begin(ICommandThread thread)
    {
        lock (_gate)
            _thread = thread;
    }

    /// <summary>The device is not served any more: what waits is kept.</summary>
    public void End()
    {
        lock (_gate)
            _thread = null;
    }

    /// <summary>Any thread.</summary>
    public void Post(Action action, bool untilReset)
    {
        _posts.Add(action, untilReset);
        lock (_gate)
            _thread?.Wake();
    }

    /// <summary>Runs some of what is ready. Command thread.</summary>
    public void RunReady()
    {
        if (IsReady)
            RunPosts(MaxPostsInARow);
    }

    /// <summary>Runs all that was posted so far, in whatever state the device is. Command thread.</summary>
    public void Drain() => RunPosts(int.MaxValue);

    /// <summary>The device was reset, or is another one now. Command thread.</summary>
    public void Reset() => _posts.DropUntilReset();

    private void RunPosts(int most)
    {
        // what these post waits for the next time
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
            Threw(code, e);
        }
    }

    private void Threw(DeviceCode code, Exception exception)
    {
        ICommandThread? thread;
        lock (_gate)
            thread = _thread;
        thread?.Threw(code, exception);
    }
}
