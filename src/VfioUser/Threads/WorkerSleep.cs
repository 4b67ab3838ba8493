namespace VfioUser;

/// <summary>The sleep of one thread, which others end: no wake-up is lost, and none costs a system call while the thread is awake.</summary>
/// <remarks>The thread announces its sleep, then checks for work a last time, and then waits. A thread that adds work makes it visible,
/// and then calls <see cref="Wake"/>. So one of the two notices the other.</remarks>
internal sealed class WorkerSleep
{
    private readonly object _changed = new();
    private int _asleep;

    /// <summary>Whether the thread sleeps, or is about to. Any thread.</summary>
    public bool IsAsleep => Volatile.Read(ref _asleep) != 0;

    /// <summary>The thread is about to sleep: a call of <see cref="Wake"/> from now on ends the sleep.</summary>
    public void Announce() => Interlocked.Exchange(ref _asleep, 1);

    /// <summary>There is work after all.</summary>
    public void Cancel() => Volatile.Write(ref _asleep, 0);

    /// <summary>Sleeps, unless it was woken since <see cref="Announce"/>.</summary>
    /// <param name="most">The longest time.</param>
    /// <returns>Whether it was woken.</returns>
    public bool Wait(TimeSpan most)
    {
        lock (_changed)
        {
            if (IsAsleep)
                Monitor.Wait(_changed, most);
        }
        return Interlocked.Exchange(ref _asleep, 0) == 0;
    }

    /// <summary>Wakes the thread if it sleeps. Any thread.</summary>
    public void Wake()
    {
        // the work must be visible before _asleep is read: otherwise each could miss the other
        Interlocked.MemoryBarrier();
        if (!IsAsleep || Interlocked.Exchange(ref _asleep, 0) == 0)
            return;
        lock (_changed)
            Monitor.Pulse(_changed);
    }
}
