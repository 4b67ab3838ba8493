using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>One client from its first byte to its last: who it is, its negotiation, its session.</summary>
/// <remarks>Command thread.</remarks>
internal sealed class ClientConnection : IDisposable
{
    private const string FailureOfThisSide = "this side failed";

    private readonly ServerRun _run;
    private readonly MessageChannel _channel;
    private readonly CancellationTokenRegistration _stopping;
    private readonly Handshake _handshake;
    private Session? _session;
    private readonly PeerCredentials _peer;
    private bool _isLeaving;
    private string? _problem; // the first one: why it was cut off

    private ClientConnection(ServerRun run, MessageChannel channel, PeerCredentials peer)
    {
        _peer = peer;
        _run = run;
        _channel = channel;
        _stopping = run.Stopping.Register(channel.Shutdown);
        _handshake = new Handshake(run, channel, peer);
    }

    /// <summary>When there is something to do although nothing has happened: the client has to come to a session until then,
    /// or what is pending is to be looked at. Null if there is no such time.</summary>
    public Deadline? Deadline => _session is null ? _handshake.Deadline : _session.Unmapping.NextWarning;

    /// <summary>What the device is waited for.</summary>
    public PollEvents Pending => _session switch
    {
        { Quiescence.IsPending: true } => PollEvents.Quiescing,
        { Unmapping.IsPending: true } => PollEvents.Unmapping,
        _ => PollEvents.None,
    };

    /// <summary>What the client's socket has to become; null while nothing that it can become matters.</summary>
    public Ready? Awaited => (_session, _isLeaving) switch
    {
        (_, true) => null,
        ({ HasOutput: true }, _) => Ready.Writable, // it has to read replies before it is listened to again
        ({ Unmapping.IsPending: true }, _) => Ready.None,
        ({ Quiescence: { IsPending: true } quiescence }, _) => quiescence.ChecksClient ? Ready.None : null,
        _ => Ready.Readable,
    };

    /// <summary>Whether the device is coming to rest or has memory to give back, for this client or because it has gone, and
    /// that is what comes next.</summary>
    public bool AwaitsRest => _session is { IsPending: true } && (_isLeaving || !_session.HasOutput);

    /// <summary>Readable when it has; null when it is not awaited, or the process has no descriptor left.</summary>
    public SafeHandle? Rest => AwaitsRest ? _session!.PendingDescriptor : null;

    /// <summary>Whether there is something to do without a look at the socket.</summary>
    public bool HasReceived => !_isLeaving && _session is { HasReceived: true };

    /// <summary>The socket, to wait for; borrowed.</summary>
    public SafeSocketHandle Socket => _channel.Socket.Handle;

    /// <summary>Takes over the socket of a client that may attach.</summary>
    /// <param name="run">What it attaches to.</param>
    /// <param name="socket">Disposed if the client may not.</param>
    /// <param name="wake">Called when a thread that does not poll has left something to do; null where nobody is to be woken.</param>
    public static ClientConnection? TryOpen(ServerRun run, SafeSocketHandle socket, Action? wake)
    {
        MessageSocket messages = new(socket, new MessageSocketOptions { Spin = run.Options.Spin, Trace = run.Log });
        MessageChannel channel = new(messages, new MessageChannelOptions { CallTimeout = run.Options.DmaTimeout, MaxConcurrentCalls = run.Options.MaxDmaInFlight }) { WorkQueued = wake };
        ClientConnection? connection = null;
        try
        {
            PeerCredentials peer = SocketPeer.Credentials(socket);
            if (run.Options.AcceptPeer is { } accept && !accept(peer))
            {
                run.Log.PeerRefused(peer.ProcessId, peer.UserId);
                return null;
            }
            run.Log.Attached(peer.ProcessId, peer.UserId);
            run.Status.Connected(peer);
            connection = new ClientConnection(run, channel, peer);
            return connection;
        }
        finally
        {
            if (connection is null)
                channel.Dispose();
        }
    }

    /// <summary>Does what there is to do; waits for something to do where it may block.</summary>
    /// <param name="budget">Commands that may still be handled; counted down.</param>
    /// <param name="events">Told when a session has begun.</param>
    /// <returns>False when the client has gone, or has to go, and it is time for <see cref="Dispose"/>; which waits for the
    /// device only where that may block, or the server stops.</returns>
    public bool Step(ref int budget, ref PollEvents events)
    {
        if (!_isLeaving && Serve(ref budget, ref events))
            return true;
        _isLeaving = true;
        return !_run.MayBlock && _session?.TryLeave() == false;
    }

    /// <summary>Another thread is the Command thread for a while; on that thread.</summary>
    /// <param name="thread">Its managed number.</param>
    /// <returns>That of the one before.</returns>
    public int SwapCommandThread(int thread) => _channel.SwapCommandThread(thread);

    /// <summary>The client's memory and interrupts go with it.</summary>
    public void Dispose()
    {
        string reason = Reason(); // before the device hears that the client has gone
        _stopping.Dispose();
        _session?.Dispose();
        _channel.Dispose();
        _run.Log.Detached(_peer.ProcessId, _peer.UserId, reason);
        _run.Status.Detached();
    }

    private bool Serve(ref int budget, ref PollEvents events)
    {
        try
        {
            if (_session is null)
            {
                if (!_handshake.Step())
                    return false;
                if (_handshake.Session is not { } begun)
                    return true;
                _session = begun;
                _run.Status.Attached();
                events |= PollEvents.Attached;
                begun.Begin();
            }
            return _session.Step(ref budget);
        }
        catch (ProtocolException e)
        {
            Refuse(_session!, e);
        }
        catch (Exception e)
        {
            _problem = FailureOfThisSide;
            _run.SessionFailed(e);
        }
        return false;
    }

    // why the client has gone, as it is told
    private string Reason()
    {
        if (_problem is { } problem)
            return problem;
        if (_session is null && _handshake.Problem is not null)
            return "its negotiation failed";
        if (_run.Stopping.IsCancellationRequested)
            return "the server stops";
        return _session is null ? "it closed the connection before it had negotiated" : "it closed the connection";
    }

    private void Refuse(Session session, ProtocolException problem)
    {
        _problem = "it broke the protocol";
        _run.Log.SessionBroken(problem.Message);
        _run.Status.WentWrong(problem);
        if (problem.Header is { } header)
            session.Refuse(header);
    }
}
