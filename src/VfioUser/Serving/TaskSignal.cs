using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Signals an eventfd when a task completes, for threads that wait for descriptors.</summary>
/// <remarks>Command thread. The thread that completes the task only signals.</remarks>
internal sealed class TaskSignal : IDisposable
{
    private readonly EventFd? _wake;
    private readonly Task _task;
    private readonly Task _signalled; // completes a moment after the signal
    private readonly CancellationTokenRegistration _stop;

    public TaskSignal(Task task, CancellationToken stopping)
    {
        _wake = TryMake();
        _task = task;
        _signalled = task.ContinueWith(static (_, wake) => ((EventFd?)wake)?.Signal(), _wake, CancellationToken.None,
            TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _stop = stopping.UnsafeRegister(static wake => ((EventFd?)wake)?.Signal(), _wake);
    }

    public bool IsCompleted => _task.IsCompleted;

    /// <summary>Readable when the task has completed or the server stops; null if the process had no free descriptor.</summary>
    public SafeHandle? Descriptor => _wake?.Handle;

    /// <summary>Waits until the task has completed, the server stops, or the peer of a socket hangs up.</summary>
    /// <param name="client">The socket; null for none.</param>
    /// <param name="timeout">How long to wait.</param>
    /// <returns>False if none of these happened in time.</returns>
    public bool Wait(SafeHandle? client, TimeSpan timeout)
    {
        if (_wake is null)
            return _signalled.Wait(timeout);
        if (!PollCalls.WaitForReadOrHangUp(_wake.Handle, client, (int)timeout.TotalMilliseconds))
            return false;
        _wake.Take();
        return true;
    }

    /// <summary>Closes the descriptor; if the task has not completed, only when it does, since that signals it.</summary>
    public void Dispose()
    {
        _stop.Dispose();
        if (_signalled.IsCompleted)
        {
            _wake?.Dispose();
        }
        else
        {
            _ = _signalled.ContinueWith(static (_, wake) => ((EventFd?)wake)?.Dispose(), _wake, CancellationToken.None,
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
            return null; // Wait then notices a disconnect only after the task has completed
        }
    }
}
