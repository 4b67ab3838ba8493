namespace Nvme.Threads;

/// <summary>The right to touch the guest: its memory, its interrupts. A reset closes it and waits for those within.</summary>
/// <remarks>Any thread. Nobody within may wait for a disk, nor for whoever closes it.</remarks>
internal sealed class Gate
{
    private const int Closed = int.MinValue;
    private readonly object _left = new();
    private int _state = Closed;

    public bool IsOpen => Volatile.Read(ref _state) >= 0;

    /// <summary>Goes in. False when it is closed.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _state) > 0)
            return true;
        Exit();
        return false;
    }

    public void Exit()
    {
        if (Interlocked.Decrement(ref _state) != Closed)
            return;
        lock (_left)
            Monitor.PulseAll(_left);
    }

    /// <summary>Lets nobody in any more, and waits until nobody is within.</summary>
    public void Close()
    {
        Shut();
        AwaitEmpty();
    }

    /// <summary>Lets nobody in any more.</summary>
    public void Shut() => Interlocked.Or(ref _state, Closed);

    /// <summary>Waits until nobody is within, once it is shut.</summary>
    public void AwaitEmpty()
    {
        lock (_left)
        {
            while (Volatile.Read(ref _state) != Closed)
                Monitor.Wait(_left);
        }
    }

    public void Open() => Interlocked.And(ref _state, ~Closed);
}
