namespace VfioUser;

/// <summary>Who is the Command thread of a server that has a thread of its own: that thread, and while it sleeps its stand-in.</summary>
/// <remarks>
/// The thread sleeps in the system, where nothing but the client can wake it. It gives the turn away before it sleeps, and takes
/// it back before it goes on.
/// </remarks>
/// <param name="work">What the stand-in is there for.</param>
internal sealed class CommandTurn(CommandWork work)
{
    private const int Held = 0;
    private const int Asleep = 1;
    private const int Borrowed = 2;
    private const int Wanted = 3; // borrowed, and its owner waits for it

    private readonly object _returned = new();
    private int _state;

    /// <summary>Whether nobody has the turn. Where somebody has it, he looks for work before he sleeps or gives it back.</summary>
    public bool IsFree
    {
        get
        {
            // what was added before is there for who goes to sleep, or his sleep is there for who asks
            Interlocked.MemoryBarrier();
            return Volatile.Read(ref _state) == Asleep;
        }
    }

    /// <summary>Gives the turn away, unless there is work. The owner; on true <see cref="Wake"/> follows.</summary>
    public bool TrySleep()
    {
        Interlocked.Exchange(ref _state, Asleep);
        if (!work.IsReady)
            return true;
        Wake();
        return false;
    }

    /// <summary>Takes the turn back; waits for who has borrowed it. The owner.</summary>
    public void Wake()
    {
        if (Interlocked.CompareExchange(ref _state, Held, Asleep) != Asleep)
            AwaitReturn();
    }

    /// <summary>The stand-in takes the turn, if nobody has it; <see cref="Return"/> follows.</summary>
    public bool TryBorrow() => Interlocked.CompareExchange(ref _state, Borrowed, Asleep) == Asleep;

    public void Return()
    {
        if (Interlocked.CompareExchange(ref _state, Asleep, Borrowed) == Borrowed)
            return;
        lock (_returned)
        {
            _state = Held;
            Monitor.PulseAll(_returned);
        }
    }

    private void AwaitReturn()
    {
        lock (_returned)
        {
            // it comes back, and is borrowed again, at any time
            while (Interlocked.CompareExchange(ref _state, Wanted, Borrowed) != Borrowed)
            {
                if (Interlocked.CompareExchange(ref _state, Held, Asleep) == Asleep)
                    return;
            }
            while (Volatile.Read(ref _state) == Wanted)
                Monitor.Wait(_returned);
        }
    }
}
