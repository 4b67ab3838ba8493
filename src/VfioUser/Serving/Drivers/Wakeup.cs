using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Wakes a thread that waits for descriptors. One system call for many signals.</summary>
/// <remarks>Any thread signals; one at a time resets.</remarks>
internal sealed class Wakeup : IDisposable
{
    private readonly EventFd _eventFd = new();
    private int _signalled;

    /// <summary>Readable from the first signal until it is reset; borrowed.</summary>
    public SafeFileHandle Handle => _eventFd.Handle;

    public void Signal()
    {
        if (Interlocked.Exchange(ref _signalled, 1) == 0)
            _eventFd.Signal();
    }

    /// <summary>Before looking at what signals tell of: who signals later is heard later.</summary>
    public void Reset()
    {
        if (Volatile.Read(ref _signalled) == 0)
            return;
        // who is about to signal wakes up once more, and that must not go unnoticed
        if (_eventFd.Take() != 0)
            Interlocked.Exchange(ref _signalled, 0);
    }

    public void Dispose() => _eventFd.Dispose();
}
