using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Looks after those who come while the command thread serves a client.</summary>
/// <remarks>A thread that begins with the first client and ends with the run; it sleeps until somebody comes.</remarks>
/// <param name="run">What is served.</param>
/// <param name="clients">Where they come from; borrowed.</param>
internal sealed class ListenerWatch(ServerRun run, IClientSource clients) : IDisposable
{
    private const int StackSize = 256 << 10;

    private readonly Lock _gate = new();
    private readonly PendingClients _pending = new(run, clients);
    private Wakeup? _wakeup; // Command thread makes it, and the thread; only then others use it
    private Thread? _thread;
    private Deadline? _acceptAgain;
    private SafeSocketHandle? _attached;
    private bool _isClosed; // nobody will come any more
    private bool _ends;

    /// <summary>A client is served now. Command thread.</summary>
    /// <param name="client">Its socket; borrowed, and perhaps closed before the end.</param>
    public void Begin(SafeSocketHandle client)
    {
        if (clients.Listening is null)
            return;
        lock (_gate)
            _attached = client;
        if (_thread is not null)
            _wakeup!.Signal();
        else
            Start();
    }

    /// <summary>None is served any more. Command thread.</summary>
    /// <returns>Who is to be served next, if somebody waits.</returns>
    public SafeSocketHandle? End()
    {
        lock (_gate)
        {
            _attached = null;
            return _pending.Take();
        }
    }

    public void Dispose()
    {
        lock (_gate)
            _ends = true;
        if (_thread is not null)
        {
            _wakeup!.Signal();
            _thread.Join();
        }
        _pending.Dispose();
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
            run.Log.CannotAccept(e.Message);
        }
    }

    private void Watch(Wakeup wakeup)
    {
        try
        {
            WatchUntilItEnds(wakeup);
        }
        catch (Exception e)
        {
            // a mistake of this side: those who come wait in the socket's queue from now on
            run.Log.SessionFailed(e);
        }
    }

    private void WatchUntilItEnds(Wakeup wakeup)
    {
        while (true)
        {
            SafeHandle? listening;
            int timeout;
            lock (_gate)
            {
                wakeup.Reset();
                if (_ends)
                    return;
                if (_attached is not null)
                    Accept();
                // nobody can be served any more who is left here when the device is free
                _pending.Process(_attached);
                listening = _attached is not null && !_isClosed && _acceptAgain is null && _pending.HasRoom ? clients.Listening : null;
                timeout = Timeout();
            }
            try
            {
                PollCalls.WaitForEither(wakeup.Handle, listening, timeout);
            }
            catch (ObjectDisposedException)
            {
                // the server has closed its listening socket, and ends
                _isClosed = true;
            }
        }
    }

    private void Accept()
    {
        try
        {
            if (_acceptAgain is not { Left.Ticks: > 0 })
            {
                _acceptAgain = null;
                if (!_isClosed)
                    _pending.Accept();
            }
        }
        catch (IOException e)
        {
            run.Log.CannotAccept(e.Message);
            _acceptAgain = Deadline.After(VfioUserServer.AcceptAgainAfter);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // the run hears of it when this client has gone
            _isClosed = true;
        }
    }

    private int Timeout()
    {
        TimeSpan? left = _pending.Due?.Left;
        if (_acceptAgain is { } again && (left is null || again.Left < left))
            left = again.Left;
        return left is { } time ? (int)Math.Ceiling(time.TotalMilliseconds) : System.Threading.Timeout.Infinite;
    }
}
