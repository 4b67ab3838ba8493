namespace Nvme.Threads;

/// <summary>Counts commands that were fetched and are not completed.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class InFlight
{
    private readonly object _idle = new();
    private int _count;
    private int _waiting;

    public int Count => Volatile.Read(ref _count);

    public void Add(int count) => Interlocked.Add(ref _count, count);

    public void Remove(int count)
    {
        if (Interlocked.Add(ref _count, -count) != 0 || Volatile.Read(ref _waiting) == 0)
            return;
        lock (_idle)
            Monitor.PulseAll(_idle);
    }

    /// <summary>Waits until there is none. Who adds more meanwhile is to be stopped first.</summary>
    public void WaitForNone()
    {
        Interlocked.Increment(ref _waiting);
        lock (_idle)
        {
            while (Volatile.Read(ref _count) != 0)
                Monitor.Wait(_idle);
        }
        Interlocked.Decrement(ref _waiting);
    }
}
