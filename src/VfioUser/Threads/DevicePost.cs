namespace VfioUser;

/// <summary>An action of a device that is posted for work in a queue: it runs once for all who asked before it began, so it is queued once
/// at most.</summary>
/// <remarks>Created by <see cref="PciDevice.AddPost"/>.</remarks>
public sealed class DevicePost
{
    private readonly CommandWork _work;
    private readonly Action _action;
    private readonly Action _run;
    private int _isQueued;

    internal DevicePost(CommandWork work, Action action)
    {
        (_work, _action) = (work, action);
        _run = Run;
    }

    /// <summary>Has the action run on the Command thread, as <see cref="PciDevice.Post"/> does, unless it waits to do so. It runs after this
    /// call has begun, and sees what the caller did before.</summary>
    /// <exception cref="InvalidOperationException">65,536 other actions are queued.</exception>
    /// <remarks>Any thread, the action itself included, which then runs again; does not block, and allocates nothing.</remarks>
    public void Post()
    {
        if (Interlocked.Exchange(ref _isQueued, 1) != 0)
            return;
        try
        {
            _work.Post(_run, untilReset: false);
        }
        catch
        {
            Volatile.Write(ref _isQueued, 0);
            throw;
        }
    }

    private void Run()
    {
        // a barrier: whoever finds it queued has put its work where the action sees it
        Interlocked.Exchange(ref _isQueued, 0);
        _action();
    }
}
