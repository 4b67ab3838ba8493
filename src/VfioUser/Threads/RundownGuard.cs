namespace VfioUser;

/// <summary>Rundown protection: counts the users of something that can be closed, and who closes it waits until the last has left.</summary>
/// <remarks>
/// Any thread. To enter and to leave take an atomic operation each and allocate nothing. For what a reset or a quiesce of the
/// device has to wait for: its threads' use of guest memory and interrupts, or the commands that it works on. Nobody inside
/// may wait for whoever closes it.
/// </remarks>
public sealed class RundownGuard
{
    private readonly object _changed = new();
    private RundownCount _count;

    /// <summary>A guard without users.</summary>
    /// <param name="isOpen">False for one that is opened later.</param>
    public RundownGuard(bool isOpen = true) => _count = isOpen ? RundownCount.Open : RundownCount.Closed;

    /// <summary>Whether users may enter.</summary>
    public bool IsOpen => _count.IsOpen;

    /// <summary>How many are inside.</summary>
    public int Users => _count.Users;

    /// <summary>Enters, unless it is closed.</summary>
    /// <param name="users">How many enter at one time, at least 1.</param>
    /// <returns>Whether they are inside: each then has to <see cref="Exit"/>.</returns>
    public bool TryEnter(int users = 1) => _count.TryEnter(users);

    /// <summary>Leaves.</summary>
    /// <param name="users">How many of those inside leave at one time.</param>
    public void Exit(int users = 1)
    {
        if (!_count.Exit(users))
            return;
        lock (_changed)
            Monitor.PulseAll(_changed);
    }

    /// <summary>Lets nobody in any more. Waits for nobody, and does nothing when it is closed.</summary>
    public void Close() => _count.Close();

    /// <summary>Waits until the last user has left, if it is closed.</summary>
    public void Wait()
    {
        lock (_changed)
        {
            while (!_count.IsOpen && !_count.IsRundown)
                Monitor.Wait(_changed);
        }
    }

    /// <summary>Lets users in again, whether others are still inside or not.</summary>
    public void Open()
    {
        _count.Reopen();
        lock (_changed)
            Monitor.PulseAll(_changed);
    }
}
