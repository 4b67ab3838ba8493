using System.Diagnostics;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Runs posted actions and timers while the server's thread sleeps in a system call.</summary>
/// <remarks>
/// Its thread starts with the first timer, or the first post while the server's thread sleeps, and ends with the run. It is the Command
/// thread while it has the turn.
/// </remarks>
/// <param name="engine">Borrowed.</param>
/// <param name="turn">Shared with the server's thread.</param>
internal sealed class StandIn(ServingEngine engine, CommandTurn turn) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly CommandWork _work = engine.Run.Device.CommandWork;
    private Wakeup? _wakeup;
    private TimerFd? _timer; // made by its thread for the first timer
    private Thread? _thread;
    private long _sleepsUntil = TimerSet.Never; // a timestamp; in the past while it is awake
    private volatile bool _ends;

    /// <summary>Something was posted. Any thread; makes a system call only if the server's thread sleeps.</summary>
    public void Wake()
    {
        if (turn.IsFree)
            Signal();
    }

    /// <summary>A timer expires then. Any thread; makes a system call only if its thread would sleep longer.</summary>
    public void WakeAt(long due)
    {
        // either its thread sees the timer before it sleeps, or this sees how long it sleeps
        Interlocked.MemoryBarrier();
        if (due < Volatile.Read(ref _sleepsUntil))
            Signal();
    }

    /// <summary>Waits for its thread. Called by the server's thread while it has the turn.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _ends = true;
            _wakeup?.Signal();
        }
        _thread?.Join();
        _timer?.Dispose();
        _wakeup?.Dispose();
    }

    private void Signal()
    {
        lock (_gate)
        {
            if (_ends)
                return;
            if (_thread is null)
                Start();
            else
                _wakeup!.Signal();
        }
    }

    private void Start()
    {
        try
        {
            _wakeup ??= new Wakeup();
            Thread thread = new(() => Run(_wakeup)) { Name = "vfio-user posts", IsBackground = true };
            thread.Start();
            _thread = thread;
        }
        catch (Exception e) when (e is IOException or OutOfMemoryException or ThreadStartException)
        {
            // posted actions run with the client's next command, and the next post tries again
            engine.Run.SessionFailed(e);
        }
    }

    private void Run(Wakeup wakeup)
    {
        try
        {
            while (true)
            {
                wakeup.Reset();
                // after that: the signal of a disposal that comes now is not lost
                if (_ends)
                    return;
                // what is left is for another run
                if (engine.Run.Stopping.IsCancellationRequested)
                    Await(wakeup, TimerSet.Never);
                else if (_work.IsReady && turn.TryBorrow())
                    Work();
                else
                    Sleep(wakeup);
            }
        }
        catch (Exception e)
        {
            engine.Abort(e);
        }
    }

    // Until this thread has something to run.
    private void Sleep(Wakeup wakeup)
    {
        long next = engine.NextDue;
        long due = next;
        if (due <= Stopwatch.GetTimestamp())
        {
            // either it has expired just now, or the other thread is awake, which runs it before it sleeps again
            if (_work.IsReady && turn.IsFree)
                return;
            due = TimerSet.Never;
        }
        Interlocked.Exchange(ref _sleepsUntil, due);
        if (engine.NextDue == next)
            Await(wakeup, due);
        Volatile.Write(ref _sleepsUntil, long.MinValue);
    }

    private void Await(Wakeup wakeup, long due)
    {
        if (due == TimerSet.Never)
        {
            PollCalls.WaitReadable(wakeup.Handle, Timeout.Infinite);
            return;
        }
        TimeSpan left = Deadline.At(due).Left;
        _timer ??= TryMakeTimer();
        _timer?.Set(left);
        PollCalls.WaitForEither(wakeup.Handle, _timer?.Handle, _timer is null ? (int)Math.Ceiling(left.TotalMilliseconds) : Timeout.Infinite);
    }

    private static TimerFd? TryMakeTimer()
    {
        try
        {
            return new TimerFd();
        }
        catch (IOException)
        {
            return null; // a process without descriptors has its timers by the millisecond
        }
    }

    private void Work()
    {
        ClientConnection? client = engine.Client;
        int before = client?.SwapCommandThread(Environment.CurrentManagedThreadId) ?? 0;
        try
        {
            _work.RunReady();
        }
        finally
        {
            client?.SwapCommandThread(before);
            turn.Return();
        }
    }
}
