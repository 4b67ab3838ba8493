using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Counts the users of something that can be closed: none gets in after that, and the last one out is told.</summary>
/// <remarks>Any thread. A mutable struct: a field, never a copy. <see cref="RundownGuard"/> waits besides.</remarks>
[StructLayout(LayoutKind.Auto)]
internal struct RundownCount
{
    private const int ClosedBit = int.MinValue;

    // users, and one for the owner until it closes
    private int _state;

    public static RundownCount Open => new() { _state = 1 };

    public static RundownCount Closed => new() { _state = ClosedBit };

    public readonly bool IsOpen => Volatile.Read(in _state) > 0;

    /// <summary>Whether it was closed and the last user has left.</summary>
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

    /// <summary>True for the last one out of what was closed: it cleans up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Exit(int users = 1) => Interlocked.Add(ref _state, -users) == ClosedBit;

    /// <summary>True if nobody is in any more: the caller cleans up. False too when it was closed before.</summary>
    public bool Close() => (Interlocked.Or(ref _state, ClosedBit) & ClosedBit) == 0 && Exit();

    /// <summary>Lets users in again; nothing happens if it is open.</summary>
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
