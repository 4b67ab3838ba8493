namespace VfioUser;

/// <summary>Rundown protection: counts users until it is closed; the thread that closes it can wait until the last one has exited.</summary>
/// <remarks>
/// Any thread. Enter and exit cost one atomic operation each and do not allocate. Use it for what a reset or a quiesce must wait
/// for: accesses of the device's threads to guest memory and interrupts, or commands in progress. A user must not wait for the
/// thread that closes it.
/// </remarks>
public sealed class RundownGuard
{
    private readonly object _changed = new();
    private RundownCount _count;

    /// <summary>Creates a guard without users.</summary>
    /// <param name="isOpen">False to open it later.</param>
    public RundownGuard(bool isOpen = true) => _count = isOpen ? RundownCount.Open : RundownCount.Closed;

    /// <summary>Whether users may enter.</summary>
    public bool IsOpen => _count.IsOpen;

    /// <summary>Number of users that have entered and not exited.</summary>
    public int Users => _count.Users;

    /// <summary>Enters, unless it is closed.</summary>
    /// <param name="users">How many users enter, at least 1.</param>
    /// <returns>Whether they entered: each must then <see cref="Exit"/>.</returns>
    public bool TryEnter(int users = 1) => _count.TryEnter(users);

    /// <summary>Exits.</summary>
    /// <param name="users">How many users exit.</param>
    public void Exit(int users = 1)
    {
        if (!_count.Exit(users))
            return;
        lock (_changed)
            Monitor.PulseAll(_changed);
    }

    /// <summary>Lets no new user enter. Does not wait; does nothing if it is closed.</summary>
    public void Close() => _count.Close();

    /// <summary>Waits until the last user has exited, if it is closed.</summary>
    public void Wait()
    {
        lock (_changed)
        {
            while (!_count.IsOpen && !_count.IsRundown)
                Monitor.Wait(_changed);
        }
    }

    /// <summary>Lets users enter again, even if some have not exited yet.</summary>
    public void Open()
    {
        _count.Reopen();
        lock (_changed)
            Monitor.PulseAll(_changed);
    }
}
