using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Looks after those who come while the command thread serves a client.</summary>
/// <remarks>A thread that begins with the first client and ends with the run; it sleeps until somebody comes.</remarks>
/// <param name="engine">Whose pending clients it looks after; borrowed.</param>
internal sealed class ListenerWatch(ServingEngine engine) : IDisposable
{
    private const int StackSize = 256 << 10;

    private Wakeup? _wakeup; // Command thread makes it, and the thread; only then others use it
    private Thread? _thread;
    private volatile bool _ends;

    /// <summary>A client is attached now. Command thread.</summary>
    public void Begin()
    {
        if (engine.Clients.Listening is null)
            return;
        if (_thread is not null)
            _wakeup!.Signal();
        else
            Start();
    }

    public void Dispose()
    {
        _ends = true;
        if (_thread is not null)
        {
            _wakeup!.Signal();
            _thread.Join();
        }
        _wakeup?.Dispose();
    }

    private void Start()
    {
        try
        {
            _wakeup ??= new Wakeup();
            Thread thread = new(() => Watch(_wakeup), StackSize) { Name = "vfio-user listener", IsBackground = true };
            thread.Start();
            _thread = thread;
        }
        catch (Exception e) when (e is IOException or OutOfMemoryException or ThreadStartException)
        {
            // then they wait in the socket's queue; the next client is another occasion
            engine.Run.Log.CannotAccept(e.Message);
        }
    }

    private void Watch(Wakeup wakeup)
    {
        try
        {
            while (true)
            {
                wakeup.Reset();
                if (_ends)
                    return;
                engine.Pending.Process();
                Sleep(wakeup);
            }
        }
        catch (Exception e)
        {
            // a mistake of this side: those who come wait in the socket's queue from now on
            engine.Run.Log.SessionFailed(e);
        }
    }

    private void Sleep(Wakeup wakeup)
    {
        PendingClients.Awaited awaited = engine.Pending.Await();
        int timeout = awaited.Due is { } due ? (int)Math.Ceiling(due.Left.TotalMilliseconds) : Timeout.Infinite;
        try
        {
            // the next client to be served is the command thread's to wait for
            PollCalls.WaitForEither(wakeup.Handle, awaited.Others ? engine.Clients.Listening : null, timeout);
        }
        catch (ObjectDisposedException)
        {
            // the server has closed its listening socket: the next look finds that out
        }
    }
}
