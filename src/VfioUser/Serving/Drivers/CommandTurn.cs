using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Which thread is the Command thread: the server's thread, or its <see cref="StandIn"/> while the first sleeps.</summary>
/// <remarks>
/// The server's thread, the owner, sleeps in system calls that only the client can end. It releases the turn before it sleeps, and takes
/// it back before it continues. That costs two atomic operations for each sleep, and no system call.
/// </remarks>
/// <param name="work">Checked before the owner sleeps.</param>
internal sealed class CommandTurn(CommandWork work)
{
    private const int Held = 0;
    private const int Asleep = 1;
    private const int Borrowed = 2;
    private const int Wanted = 3; // borrowed, and the owner waits for it

    // milliseconds for which a client may be silent before others that come are looked after
    private const int Soon = 50;

    private readonly object _returned = new();
    private int _state;

    /// <summary>Called by the owner when its client has not gone at once: when it is silent, or has sent a command. Several times for
    /// one client.</summary>
    public Action? ClientStays { get; set; }

    /// <summary>Whether no thread has the turn. A thread that has it checks for work before it sleeps, or after it has returned the turn.</summary>
    public bool IsFree
    {
        get
        {
            // either the owner sees the work that was added before, or this sees that the owner sleeps
            Interlocked.MemoryBarrier();
            return Volatile.Read(ref _state) == Asleep;
        }
    }

    /// <summary>Releases the turn, unless there is work. Called by the owner, who calls <see cref="Wake"/> after the sleep if this was true.</summary>
    public bool TrySleep()
    {
        Interlocked.Exchange(ref _state, Asleep);
        if (!work.IsReady)
            return true;
        Wake();
        return false;
    }

    /// <summary>Waits a moment for a new client. Called by the owner in its sleep.</summary>
    /// <returns>False if it is silent.</returns>
    public bool IsReadableSoon(SafeHandle client)
    {
        if (PollCalls.WaitReadable(client, Soon))
            return true;
        ClientStays?.Invoke();
        return false;
    }

    /// <summary>Takes the turn back; waits while it is borrowed. Called by the owner.</summary>
    public void Wake()
    {
        if (Interlocked.CompareExchange(ref _state, Held, Asleep) != Asleep)
            AwaitReturn();
    }

    /// <summary>Borrows the turn if no thread has it. Called by the stand-in, who then calls <see cref="Return"/>.</summary>
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
            // it may be returned, and borrowed again, at any time
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
