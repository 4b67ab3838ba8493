using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Lets clients in: the next one to be served, and those who come while one is attached.</summary>
/// <remarks>
/// Each of the others waits a moment, in case that the one that is attached is just leaving: then it is served. Else it is told
/// that the device is in use. A few are held at a time, more wait in the socket's queue. Any thread; nothing waits here.
/// </remarks>
/// <param name="run">What they would attach to.</param>
/// <param name="clients">Where they come from; borrowed.</param>
internal sealed class PendingClients(ServerRun run, IClientSource clients) : IDisposable
{
    private const int Max = 4;

    private readonly Lock _gate = new();
    private readonly List<PendingClient> _waiting = [];
    private SafeHandle? _attached;
    private Deadline? _acceptAgain; // set while the system lets nobody in
    private bool _noneCome; // the listening socket is none any more

    /// <summary>What is to be waited for.</summary>
    /// <param name="IsThere">Nothing: somebody is there who can be served, and nobody is attached.</param>
    /// <param name="Next">The listening socket, since nobody is attached.</param>
    /// <param name="Others">The listening socket, although somebody is attached.</param>
    /// <param name="Due">Until when; null for ever.</param>
    public readonly record struct Awaited(bool IsThere, bool Next, bool Others, Deadline? Due);

    /// <summary>The socket of the client that is attached, and perhaps closed; null if none is.</summary>
    public SafeHandle? Attached
    {
        set
        {
            lock (_gate)
                _attached = value;
        }
    }

    /// <summary>Who is to be served next, if somebody is there: the one that has waited longest. The caller's.</summary>
    /// <exception cref="SocketException">The listening socket is none any more.</exception>
    public SafeSocketHandle? Next()
    {
        lock (_gate)
            return Take() ?? TryAccept();
    }

    /// <summary>Lets in who comes while a client is attached, and answers those whose time is over.</summary>
    public void Process()
    {
        lock (_gate)
        {
            AcceptOthers();
            _waiting.RemoveAll(IsDone);
        }
    }

    /// <summary>What is to be waited for before <see cref="Next"/> or <see cref="Process"/> is of use.</summary>
    public Awaited Await()
    {
        lock (_gate)
        {
            bool accepts = _acceptAgain is null;
            bool others = accepts && !_noneCome && _waiting.Count < Max;
            bool isThere = _attached is null && _waiting.Exists(client => client.TryTake() is not null);
            return new Awaited(isThere, accepts && _attached is null, others && _attached is not null, Due());
        }
    }

    /// <summary>The system lets nobody in. A process that has no descriptor left has some again when a session somewhere else in it ends.</summary>
    public void CannotAccept(IOException problem)
    {
        run.Log.CannotAccept(problem.Message);
        lock (_gate)
            _acceptAgain = Deadline.After(ClientWait.AcceptAgainAfter);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _noneCome = true;
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
        if (_acceptAgain is { Left.Ticks: > 0 })
            return null;
        _acceptAgain = null;
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
            if (_acceptAgain is { Left.Ticks: 0 })
                _acceptAgain = null;
            return;
        }
        try
        {
            while (!_noneCome && _waiting.Count < Max && TryAccept() is { } socket)
                _waiting.Add(new PendingClient(socket, run.Options.BusyAfter));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // the run hears of it when this client has gone
            _noneCome = true;
        }
    }

    private Deadline? Due()
    {
        Deadline? due = _acceptAgain;
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
            // whatever it sends, it is not attached, and is sent away
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
