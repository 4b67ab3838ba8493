using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Makes the end of a task readable, for who waits for descriptors.</summary>
/// <remarks>Command thread. Whoever ends the task does nothing here but signal an eventfd.</remarks>
internal sealed class TaskSignal : IDisposable
{
    private readonly EventFd? _wake;
    private readonly Task _told;
    private readonly CancellationTokenRegistration _stop;

    public TaskSignal(Task task, CancellationToken stopping)
    {
        _wake = TryMake();
        _told = task.ContinueWith(static (_, wake) => ((EventFd?)wake)?.Signal(), _wake, CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _stop = stopping.UnsafeRegister(static wake => ((EventFd?)wake)?.Signal(), _wake);
    }

    public bool IsCompleted => _told.IsCompleted;

    /// <summary>Readable when the task has ended or the server stops; null when the process had no descriptor left.</summary>
    public SafeHandle? Descriptor => _wake?.Handle;

    /// <summary>Waits until the task has ended, the server stops, or the peer of a socket hangs up.</summary>
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

    /// <summary>If the task has not ended, the descriptor stays for who ends it to signal, and goes then.</summary>
    public void Dispose()
    {
        _stop.Dispose();
        if (_told.IsCompleted)
        {
            _wake?.Dispose();
        }
        else
        {
            _ = _told.ContinueWith(static (_, wake) => ((EventFd?)wake)?.Dispose(), _wake, CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private static EventFd? TryMake()
    {
        try
        {
            return new EventFd();
        }
        catch (IOException)
        {
            return null; // the end is waited for all the same, but a client that leaves is noticed after it
        }
    }
}
