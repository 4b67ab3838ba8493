using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace VfioUser.Protocol;

/// <summary>How long a thread polls before it sleeps: chosen before each wait, from how the last ones ended.</summary>
/// <remarks>
/// <para>A wait that polling would have covered makes the next poll long enough for it; one that it would not makes the next poll half as
/// long, in the end none. So a burst of commands is polled for, and commands that come one by one cost no processor time.</para>
/// <para>Polls that fail one after the other, whatever the length of the waits, are taken for a sign that polling delays the other
/// side, as where both share a processor: then polling rests, each time for twice as many waits.</para>
/// <para>A mutable structure, for the field of one thread's loop. KVM's halt polling does the same for a processor of the guest.</para>
/// </remarks>
internal struct AdaptiveSpin
{
    /// <summary>The limit of threads that are not told another: longer than a driver takes from one access to the next, where its
    /// virtual machine has to be woken for each.</summary>
    public static readonly TimeSpan DefaultLimit = TimeSpan.FromMicroseconds(100);

    // a shorter poll finds nothing: that is what the wake-up of the other side takes
    private static readonly long Shortest = Stopwatch.Frequency / 200_000;

    private const int FailuresBeforeRest = 4;
    private const int FirstRest = 16;
    private const int MaxRestDoublings = 8;

    private readonly bool _isFixed;
    private long _limit;
    private long _length;
    private int _failures; // in a row; a success takes half of them
    private int _rest; // waits

    /// <param name="limit">The longest poll; zero for none at all.</param>
    /// <param name="isFixed">Whether each poll is as long as the limit.</param>
    public AdaptiveSpin(TimeSpan limit, bool isFixed = false)
    {
        Limit = limit;
        _isFixed = isFixed;
        _length = isFixed ? _limit : 0;
    }

    /// <summary>The longest poll; zero for none at all.</summary>
    public TimeSpan Limit
    {
        set => _limit = (long)(value.TotalSeconds * Stopwatch.Frequency);
    }

    /// <summary>How long to poll before the next sleep, in ticks of <see cref="Stopwatch"/>; 0 to sleep at once.</summary>
    public readonly long Length => _rest > 0 ? 0 : Math.Min(_length, _limit);

    /// <summary>Whether <see cref="Slept"/> has to be called.</summary>
    public readonly bool Adapts => !_isFixed && _limit > 0;

    /// <summary>Polling has ended the wait.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Found()
    {
        if (_failures > 0)
            _failures /= 2;
    }

    /// <summary>The thread has slept.</summary>
    /// <param name="wait">How long it has waited, the poll included, in ticks of <see cref="Stopwatch"/>.</param>
    public void Slept(long wait)
    {
        if (!Adapts)
            return;
        if (_rest > 0)
        {
            _rest--;
            return;
        }
        if (_length > 0 && ++_failures >= FailuresBeforeRest)
            _rest = FirstRest << Math.Min(_failures - FailuresBeforeRest, MaxRestDoublings);
        long half = Math.Min(_length, _limit) / 2;
        if (wait < _limit)
            _length = Math.Min(Math.Max(2 * wait, Shortest), _limit);
        else
            _length = half < Shortest ? 0 : half;
    }
}
