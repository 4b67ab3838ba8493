using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Wakes a thread that waits for descriptors. Many signals cost one system call.</summary>
/// <remarks>Any thread may signal; one at a time resets.</remarks>
internal sealed class Wakeup : IDisposable
{
    private readonly EventFd _eventFd = new();
    private int _signalled;

    /// <summary>Readable from the first signal until the reset; borrowed.</summary>
    public SafeFileHandle Handle => _eventFd.Handle;

    public void Signal()
    {
        if (Interlocked.Exchange(ref _signalled, 1) == 0)
            _eventFd.Signal();
    }

    /// <summary>Call it before checking for the signalled work: later signals make it readable again.</summary>
    public void Reset()
    {
        if (Volatile.Read(ref _signalled) == 0)
            return;
        // if a thread has set _signalled but not signalled yet, keep it set: its signal comes, and the next reset takes it
        if (_eventFd.Take() != 0)
            Interlocked.Exchange(ref _signalled, 0);
    }

    public void Dispose() => _eventFd.Dispose();
}
