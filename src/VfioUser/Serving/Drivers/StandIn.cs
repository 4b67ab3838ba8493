using System.Diagnostics;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Runs what a device has posted, and its timers, while the server's thread sleeps.</summary>
/// <remarks>
/// A thread that begins with the first timer, or the first post that finds the other one asleep, and ends with the run. It is the Command thread
/// while it has the turn, and does nothing else.
/// </remarks>
/// <param name="engine">Whose work it does; borrowed.</param>
/// <param name="turn">Of the thread that drives the engine.</param>
internal sealed class StandIn(ServingEngine engine, CommandTurn turn) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly CommandWork _work = engine.Run.Device.CommandWork;
    private Wakeup? _wakeup;
    private TimerFd? _timer; // its thread's, once it has waited for a time
    private Thread? _thread;
    private long _sleepsUntil = TimerSet.Never; // as a timestamp; of the past while it does not sleep
    private volatile bool _ends;

    /// <summary>There may be work. Any thread; costs a system call only where the other thread sleeps.</summary>
    public void Wake()
    {
        if (turn.IsFree)
            Signal();
    }

    /// <summary>There will be work. Any thread; costs a system call only where this one sleeps longer.</summary>
    public void WakeAt(long due)
    {
        // what was started before is there for who goes to sleep, or his time is there for who asks
        Interlocked.MemoryBarrier();
        if (due < Volatile.Read(ref _sleepsUntil))
            Signal();
    }

    /// <summary>Waits for its thread. The owner of the turn, who has it.</summary>
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
            // what was posted runs with the client's next command, or the next post tries again
            engine.Run.SessionFailed(e);
        }
    }

    private void Run(Wakeup wakeup)
    {
        try
        {
            while (!_ends)
            {
                wakeup.Reset();
                if (_work.IsReady && turn.TryBorrow())
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

    // Until there is work for this thread.
    private void Sleep(Wakeup wakeup)
    {
        long next = engine.NextDue;
        long due = next;
        if (due <= Stopwatch.GetTimestamp())
        {
            // it has become due just now; or the other thread is awake, or the device quiesced: that looks before it sleeps again
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
