using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Handles clients that connect while the Command thread serves another one.</summary>
/// <remarks>On a thread that starts with the first client and ends with the run; it sleeps until a client connects.</remarks>
/// <param name="engine">The engine whose pending clients it handles; borrowed.</param>
internal sealed class ListenerWatch(ServingEngine engine) : IDisposable
{
    private const int StackSize = 256 << 10;

    private Wakeup? _wakeup; // created by the Command thread, before _thread, which uses it
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
            // other clients wait in the backlog; retried with the next client
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
            // a bug: other clients wait in the backlog from now on
            engine.Run.Log.SessionFailed(e);
        }
    }

    private void Sleep(Wakeup wakeup)
    {
        PendingClients.Awaited awaited = engine.Pending.Await();
        int timeout = awaited.Due is { } due ? (int)Math.Ceiling(due.Left.TotalMilliseconds) : Timeout.Infinite;
        try
        {
            // if no client is attached, the Command thread waits for the next one
            PollCalls.WaitForEither(wakeup.Handle, awaited.Others ? engine.Clients.Listening : null, timeout);
        }
        catch (ObjectDisposedException)
        {
            // the server has closed its listening socket, which the next Process notices
        }
    }
}
