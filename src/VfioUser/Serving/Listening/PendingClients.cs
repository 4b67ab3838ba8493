using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Accepts clients: the next one to serve, and those that connect while one is attached.</summary>
/// <remarks>
/// Each of the others waits a moment, in case the attached one is disconnecting: then it is served. Otherwise it is refused,
/// since the device is in use. A few are accepted at a time; more wait in the backlog. Any thread; nothing blocks here.
/// </remarks>
/// <param name="run">The run.</param>
/// <param name="clients">Source of clients; borrowed.</param>
internal sealed class PendingClients(ServerRun run, IClientSource clients) : IDisposable
{
    private const int Max = 4;

    private readonly Lock _gate = new();
    private readonly List<PendingClient> _waiting = [];
    private SafeHandle? _attached;
    private Deadline? _retryAccept; // set after accept failed
    private bool _isClosed; // the listening socket

    /// <summary>What to wait for.</summary>
    /// <param name="IsThere">Nothing: a client can be served now.</param>
    /// <param name="Next">The listening socket, since no client is attached.</param>
    /// <param name="Others">The listening socket, although a client is attached.</param>
    /// <param name="Due">Until when; null for no limit.</param>
    public readonly record struct Awaited(bool IsThere, bool Next, bool Others, Deadline? Due);

    /// <summary>The socket of the attached client, which may be closed; null if no client is attached.</summary>
    public SafeHandle? Attached
    {
        set
        {
            lock (_gate)
                _attached = value;
        }
    }

    /// <summary>Returns the next client to serve, the one that has waited longest, or null. Owned by the caller.</summary>
    /// <exception cref="SocketException">The listening socket cannot be used any more.</exception>
    public SafeSocketHandle? Next()
    {
        lock (_gate)
            return Take() ?? TryAccept();
    }

    /// <summary>Accepts clients while one is attached, and refuses those that have waited long enough.</summary>
    public void Process()
    {
        lock (_gate)
        {
            AcceptOthers();
            _waiting.RemoveAll(IsDone);
        }
    }

    /// <summary>What to wait for before the next call of <see cref="Next"/> or <see cref="Process"/>.</summary>
    public Awaited Await()
    {
        lock (_gate)
        {
            bool accepts = _retryAccept is null;
            bool others = accepts && !_isClosed && _waiting.Count < Max;
            bool isThere = _attached is null && _waiting.Exists(client => client.TryTake() is not null);
            return new Awaited(isThere, accepts && _attached is null, others && _attached is not null, Due());
        }
    }

    /// <summary>Accept failed, usually since the process has no free descriptor: retried, since other sessions may close some.</summary>
    public void CannotAccept(IOException problem)
    {
        run.Log.CannotAccept(problem.Message);
        lock (_gate)
            _retryAccept = Deadline.After(ClientWait.AcceptRetryInterval);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            _waiting.ForEach(client => client.Dispose());
            _waiting.Clear();
        }
    }

    private SafeSocketHandle? Take()
    {
        for (int i = 0; i < _waiting.Count; i++)
        {
            if (_waiting[i].TryTake() is not { } socket)
                continue;
            _waiting.RemoveAt(i);
            return socket;
        }
        return null;
    }

    private SafeSocketHandle? TryAccept()
    {
        if (_retryAccept is { Left.Ticks: > 0 })
            return null;
        _retryAccept = null;
        try
        {
            return clients.TryNext();
        }
        catch (IOException e)
        {
            CannotAccept(e);
            return null;
        }
    }

    private void AcceptOthers()
    {
        if (_attached is null)
        {
            if (_retryAccept is { Left.Ticks: 0 })
                _retryAccept = null;
            return;
        }
        try
        {
            while (!_isClosed && _waiting.Count < Max && TryAccept() is { } socket)
                _waiting.Add(new PendingClient(socket, run.Options.BusyAfter));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // the run fails with it when the attached client has disconnected
            _isClosed = true;
        }
    }

    private Deadline? Due()
    {
        Deadline? due = _retryAccept;
        foreach (PendingClient client in _waiting)
            due = Deadline.Earlier(due, client.Due);
        return due;
    }

    private bool IsDone(PendingClient client)
    {
        if (client.Due.Left > TimeSpan.Zero || (IsLeaving() && client.TryWaitOn()))
            return false;
        bool done = true;
        try
        {
            done = client.TryRefuse(run);
        }
        catch (Exception e) when (e is ProtocolException or IOException or SocketException)
        {
            // it is disconnected, whatever it sent
        }
        if (done)
            client.Dispose();
        return done;
    }

    private bool IsLeaving()
    {
        try
        {
            return _attached is null || PollCalls.HasHungUp(_attached);
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }
}
