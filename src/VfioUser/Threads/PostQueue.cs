namespace VfioUser;

/// <summary>Actions that wait for the Command thread, in the order in which they were posted.</summary>
/// <remarks>Any thread. Allocates only to grow.</remarks>
internal sealed class PostQueue
{
    /// <summary>How many may be queued. More means that the device posts faster than the actions can run.</summary>
    public const int Limit = 65_536;

    private readonly Lock _lock = new();
    private readonly Queue<(Action Action, bool UntilReset)> _waiting = new();
    private int _count;

    public int Count => Volatile.Read(ref _count);

    /// <exception cref="InvalidOperationException">Too many wait already.</exception>
    public void Add(Action action, bool untilReset)
    {
        lock (_lock)
        {
            if (_waiting.Count == Limit)
                throw new InvalidOperationException($"{Limit} posted actions are queued already. Limit the work that posts them.");
            _waiting.Enqueue((action, untilReset));
            Volatile.Write(ref _count, _waiting.Count);
        }
    }

    /// <summary>Dequeues the oldest; null if there is none.</summary>
    public Action? Take()
    {
        lock (_lock)
        {
            bool found = _waiting.TryDequeue(out (Action Action, bool UntilReset) oldest);
            Volatile.Write(ref _count, _waiting.Count);
            return found ? oldest.Action : null;
        }
    }

    /// <summary>Drops those posted with <c>untilReset</c>; the others keep their order.</summary>
    public void DropUntilReset()
    {
        lock (_lock)
        {
            for (int left = _waiting.Count; left > 0; left--)
            {
                (Action Action, bool UntilReset) oldest = _waiting.Dequeue();
                if (!oldest.UntilReset)
                    _waiting.Enqueue(oldest);
            }
            Volatile.Write(ref _count, _waiting.Count);
        }
    }
}
