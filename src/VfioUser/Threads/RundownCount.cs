using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Rundown protection without a wait: counts users until it is closed; then none can enter, and the last one to exit
/// learns that it is the last.</summary>
/// <remarks>Any thread. A mutable struct: use it as a field, never copy it. <see cref="RundownGuard"/> adds a wait.</remarks>
[StructLayout(LayoutKind.Auto)]
internal struct RundownCount
{
    private const int ClosedBit = int.MinValue;

    // number of users, plus one for the owner until it closes; negative once closed
    private int _state;

    public static RundownCount Open => new() { _state = 1 };

    public static RundownCount Closed => new() { _state = ClosedBit };

    public readonly bool IsOpen => Volatile.Read(in _state) > 0;

    /// <summary>Whether it is closed and the last user has exited.</summary>
    public readonly bool IsRundown => Volatile.Read(in _state) == ClosedBit;

    public readonly int Users
    {
        get
        {
            int state = Volatile.Read(in _state);
            return state > 0 ? state - 1 : state & ~ClosedBit;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryEnter(int users = 1)
    {
        int state = Volatile.Read(ref _state);
        while (state > 0)
        {
            int seen = Interlocked.CompareExchange(ref _state, state + users, state);
            if (seen == state)
                return true;
            state = seen;
        }
        return false;
    }

    /// <summary>True for the last user to exit after the close: it cleans up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Exit(int users = 1) => Interlocked.Add(ref _state, -users) == ClosedBit;

    /// <summary>True if there are no users: the caller cleans up. Also false if it was closed before.</summary>
    public bool Close() =>
        // nearly always there are none, and it was open: one step does it
        Interlocked.CompareExchange(ref _state, ClosedBit, 1) == 1
        || ((Interlocked.Or(ref _state, ClosedBit) & ClosedBit) == 0 && Exit());

    /// <summary>Lets users enter again; does nothing if it is open.</summary>
    public void Reopen()
    {
        int state = Volatile.Read(ref _state);
        while (state < 0)
        {
            int seen = Interlocked.CompareExchange(ref _state, (state & ~ClosedBit) + 1, state);
            if (seen == state)
                return;
            state = seen;
        }
    }
}
