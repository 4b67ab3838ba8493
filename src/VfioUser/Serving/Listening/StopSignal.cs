using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>An eventfd that is signalled when the server stops.</summary>
internal sealed class StopSignal : IDisposable
{
    private readonly EventFd _signal = new();
    private readonly CancellationTokenRegistration _stopping;

    /// <exception cref="IOException">The process has no free descriptor.</exception>
    public StopSignal(CancellationToken stopping) =>
        _stopping = stopping.UnsafeRegister(static signal => ((EventFd)signal!).Signal(), _signal);

    /// <summary>Readable when the server stops; borrowed.</summary>
    public SafeFileHandle Handle => _signal.Handle;

    public void Dispose()
    {
        _stopping.Dispose(); // waits for a signal in progress
        _signal.Dispose();
    }
}
