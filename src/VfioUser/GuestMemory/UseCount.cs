using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Counts the users of something that can be closed: none gets in after that, and the last one out is told.</summary>
/// <remarks>Any thread. A mutable struct: a field, never a copy.</remarks>
[StructLayout(LayoutKind.Auto)]
internal struct UseCount
{
    private const int Closed = int.MinValue;

    // users, and one for the owner until it closes
    private int _state;

    public static UseCount Open => new() { _state = 1 };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryEnter()
    {
        int state = Volatile.Read(ref _state);
        while (state > 0)
        {
            int seen = Interlocked.CompareExchange(ref _state, state + 1, state);
            if (seen == state)
                return true;
            state = seen;
        }
        return false;
    }

    /// <summary>True for the last one out of what was closed: it cleans up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Exit() => Interlocked.Decrement(ref _state) == Closed;

    /// <summary>True if nobody is in any more: the caller cleans up. False too when it was closed before.</summary>
    public bool Close() => (Interlocked.Or(ref _state, Closed) & Closed) == 0 && Exit();
}
