using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A device was asked to come to rest and did not answer at once.</summary>
/// <remarks>Command thread. The device answers on a thread of its own, which does nothing here but signal an eventfd.</remarks>
internal sealed class QuiesceRequest : IDisposable
{
    private readonly EventFd? _wake;
    private readonly Task _told;
    private readonly CancellationTokenRegistration _stop;

    public QuiesceRequest(Task<bool> task, QuiesceReason reason, CancellationToken stopping)
    {
        Task = task;
        Reason = reason;
        _wake = TryMake();
        _told = task.ContinueWith(static (_, wake) => ((EventFd?)wake)?.Signal(), _wake, CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _stop = stopping.UnsafeRegister(static wake => ((EventFd?)wake)?.Signal(), _wake);
    }

    public Task<bool> Task { get; }

    public QuiesceReason Reason { get; }

    public bool IsAnswered => _told.IsCompleted;

    /// <summary>Readable when there is an answer or the server stops; null when the process had no descriptor left.</summary>
    public SafeHandle? Descriptor => _wake?.Handle;

    /// <summary>Waits until there is an answer, the server stops, or the peer of a socket hangs up.</summary>
    /// <param name="client">Null to wait without looking at it.</param>
    /// <param name="timeout">How long.</param>
    /// <returns>False when nothing of that came within the time.</returns>
    public bool Wait(SafeHandle? client, TimeSpan timeout)
    {
        if (_wake is null)
            return _told.Wait(timeout);
        if (!PollCalls.WaitForReadOrHangUp(_wake.Handle, client, (int)timeout.TotalMilliseconds))
            return false;
        _wake.Take();
        return true;
    }

    /// <summary>Without an answer the descriptor stays for the device to signal, and goes then.</summary>
    public void Dispose()
    {
        _stop.Dispose();
        if (_told.IsCompleted)
            _wake?.Dispose();
        else
            _ = _told.ContinueWith(static (_, wake) => ((EventFd?)wake)?.Dispose(), _wake, CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private static EventFd? TryMake()
    {
        try
        {
            return new EventFd();
        }
        catch (IOException)
        {
            return null; // the answer is waited for all the same, but a client that leaves is noticed after it
        }
    }
}
