using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Protocol.Interop;

/// <summary>A timerfd: a descriptor that becomes readable once, when the time set has passed.</summary>
/// <remarks>Any thread. See <c>timerfd_create(2)</c>.</remarks>
internal sealed unsafe partial class TimerFd : IDisposable
{
    private const int ClockMonotonic = 1;
    private const int CloseOnExec = 0x80000;
    private const int NonBlock = 0x800;
    private const long NanosecondsASecond = 1_000_000_000;

    /// <summary>To be borrowed.</summary>
    public SafeFileHandle Handle { get; } = Libc.Own(Create(ClockMonotonic, CloseOnExec | NonBlock), "timerfd_create");

    /// <summary>Becomes readable after this long, at once if it is not positive. Replaces an earlier setting.</summary>
    public void Set(TimeSpan time) => SetNanoseconds(Math.Max(1, (long)time.TotalNanoseconds));

    /// <summary>Keeps the descriptor unreadable until it is set again.</summary>
    public void Stop() => SetNanoseconds(0);

    public void Dispose() => Handle.Dispose();

    private void SetNanoseconds(long nanoseconds)
    {
        long* timerspec = stackalloc long[4];
        timerspec[0] = 0;
        timerspec[1] = 0;
        (timerspec[2], timerspec[3]) = Math.DivRem(nanoseconds, NanosecondsASecond);
        // SAFETY: an itimerspec is four longs on 64-bit Linux: the interval, then the time, as seconds and nanoseconds.
        if (SetTime(Handle, 0, timerspec, null) != 0)
            throw Libc.Failure("timerfd_settime");
    }

    [LibraryImport(Libc.Library, EntryPoint = "timerfd_create", SetLastError = true)]
    private static partial int Create(int clock, int flags);

    [LibraryImport(Libc.Library, EntryPoint = "timerfd_settime", SetLastError = true)]
    private static partial int SetTime(SafeHandle timer, int flags, long* time, long* before);
}
