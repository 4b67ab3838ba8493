using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Runs what a device has posted while the server's thread sleeps.</summary>
/// <remarks>
/// A thread that begins with the first post that finds the other one asleep, and ends with the run. It is the Command thread
/// while it has the turn, and does nothing else.
/// </remarks>
/// <param name="engine">Whose work it does; borrowed.</param>
/// <param name="turn">Of the thread that drives the engine.</param>
internal sealed class StandIn(ServingEngine engine, CommandTurn turn) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly CommandWork _work = engine.Run.Device.CommandWork;
    private Wakeup? _wakeup;
    private Thread? _thread;
    private volatile bool _ends;

    /// <summary>There may be work. Any thread; costs a system call only where the other thread sleeps.</summary>
    public void Wake()
    {
        if (!turn.IsFree)
            return;
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

    /// <summary>Waits for its thread. The owner of the turn, who has it.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _ends = true;
            _wakeup?.Signal();
        }
        _thread?.Join();
        _wakeup?.Dispose();
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
                else if (!_ends)
                    PollCalls.WaitReadable(wakeup.Handle, Timeout.Infinite);
            }
        }
        catch (Exception e)
        {
            engine.Abort(e);
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
