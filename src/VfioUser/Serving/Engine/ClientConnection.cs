using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The connection of one client: its credentials, its negotiation, its session.</summary>
/// <remarks>Command thread.</remarks>
internal sealed class ClientConnection : IDisposable
{
    private readonly ServerRun _run;
    private readonly MessageChannel _channel;
    private readonly CancellationTokenRegistration _stopping;
    private readonly Handshake _handshake;
    private Session? _session;
    private readonly PeerCredentials _peer;
    private bool _isLeaving;
    private DisconnectReason? _problem; // why the server disconnects the client
    private string? _deviceReason; // why the device does

    private ClientConnection(ServerRun run, MessageChannel channel, PeerCredentials peer)
    {
        _peer = peer;
        _run = run;
        _channel = channel;
        _stopping = run.Stopping.UnsafeRegister(static channel => ((MessageChannel)channel!).Shutdown(), channel);
        _handshake = new Handshake(run, channel, peer);
    }

    /// <summary>When to step without an event: for the timeout of negotiation, or for a warning that an unmap is pending. Null for
    /// no such time.</summary>
    public Deadline? Deadline => _session is null ? _handshake.Deadline : _session.Unmapping.NextWarning;

    /// <summary>What the client waits for the device to do.</summary>
    public PollEvents Pending => _session switch
    {
        { Quiescence.IsPending: true } => PollEvents.Quiescing,
        { Unmapping.IsPending: true } => PollEvents.Unmapping,
        _ => PollEvents.None,
    };

    /// <summary>What to wait for on the client's socket; null for nothing, not even a hang-up.</summary>
    public Ready? Awaited => (_session, _isLeaving) switch
    {
        (_, true) => null,
        ({ HasOutput: true }, _) => Ready.Writable, // no more is received until it has read its replies
        ({ Unmapping.IsPending: true }, _) => Ready.None,
        ({ Quiescence: { IsPending: true } quiescence }, _) => quiescence.ChecksClient ? Ready.None : null,
        _ => Ready.Readable,
    };

    /// <summary>Whether the next step waits for the device, to quiesce or to release memory.</summary>
    public bool AwaitsDevice => _session is { IsPending: true } && (_isLeaving || !_session.HasOutput);

    /// <summary>Readable when the device has done that; null if it is not awaited, or the process has no free descriptor.</summary>
    public SafeHandle? DeviceDescriptor => AwaitsDevice ? _session!.PendingDescriptor : null;

    /// <summary>Whether there are received commands to handle.</summary>
    public bool HasReceived => !_isLeaving && _session is { HasReceived: true };

    /// <summary>The socket, to wait for; borrowed.</summary>
    public SafeSocketHandle Socket => _channel.Socket.Handle;

    /// <summary>Takes over the socket of a client, if <see cref="VfioUserServerOptions.AcceptPeer"/> accepts it.</summary>
    /// <param name="run">The run that it connects to.</param>
    /// <param name="socket">Disposed if the client is not accepted.</param>
    /// <param name="wake">Called when another thread has queued work; null if no thread needs to be woken.</param>
    public static ClientConnection? TryOpen(ServerRun run, SafeSocketHandle socket, Action? wake)
    {
        MessageSocket messages = MessageSocket.OfNewClient(socket, run.SocketOptions, run.Spares);
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

    /// <summary>Does the pending work; waits for work if the run may block.</summary>
    /// <param name="budget">Commands that may still be handled; counted down.</param>
    /// <param name="events">Gets <see cref="PollEvents.Attached"/> when a session has started.</param>
    /// <returns>False when the client has disconnected, or must be, and <see cref="Dispose"/> is due; that waits for the
    /// device only if the run may block, or the server stops.</returns>
    public bool Step(ref int budget, ref PollEvents events)
    {
        if (!_isLeaving && Serve(ref budget, ref events))
            return true;
        _isLeaving = true;
        return !_run.MayBlock && _session?.TryLeave() == false;
    }

    /// <summary>Makes another thread the Command thread for a while; called on that thread.</summary>
    /// <param name="thread">Its managed ID.</param>
    /// <returns>The managed ID of the previous one.</returns>
    public int SwapCommandThread(int thread) => _channel.SwapCommandThread(thread);

    /// <summary>Disconnects the client, unmaps its memory and removes its interrupts.</summary>
    public void Dispose()
    {
        ClientDisconnect disconnect = Conclude(); // before the session ends, which may take until the server stops
        _stopping.Dispose();
        _run.Device.Session?.End();
        _session?.Dispose();
        _run.Device.Session = null;
        _channel.Dispose();
        _run.Spares.Keep(_channel.SpareBuffer, _handshake.Replies.SpareBuffer);
        _run.Log.Detached(_peer.ProcessId, _peer.UserId, disconnect.Message);
        _run.Status.Detached(disconnect);
    }

    // Any thread, from the device.
    private void Disconnect(string reason)
    {
        Volatile.Write(ref _deviceReason, reason);
        _channel.Shutdown();
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
                _run.Status.Attached(_handshake.Negotiated!);
                _run.Device.Session = new DeviceSession(_peer, Disconnect);
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
            _problem = DisconnectReason.ServerFailed;
            _run.SessionFailed(e);
        }
        return false;
    }

    private ClientDisconnect Conclude()
    {
        string? requested = Volatile.Read(ref _deviceReason);
        DisconnectReason reason = _problem ?? (requested is not null ? DisconnectReason.DeviceRequested : Reason());
        return new ClientDisconnect(_peer, reason, reason switch
        {
            DisconnectReason.NegotiationFailed => "negotiation failed",
            DisconnectReason.ProtocolViolation => "it violated the protocol",
            DisconnectReason.DeviceRequested => $"the device disconnected it: {requested}",
            DisconnectReason.ServerStopped => "the server stops",
            DisconnectReason.ServerFailed => "the server failed",
            _ => _session is null ? "it closed the connection before negotiation" : "it closed the connection",
        });
    }

    // if neither the session nor the device has ended it
    private DisconnectReason Reason()
    {
        if (_session is null && _handshake.Problem is not null)
            return DisconnectReason.NegotiationFailed;
        return _run.Stopping.IsCancellationRequested ? DisconnectReason.ServerStopped : DisconnectReason.ClientClosed;
    }

    private void Refuse(Session session, ProtocolException problem)
    {
        _problem = DisconnectReason.ProtocolViolation;
        _run.Log.SessionBroken(problem.Message);
        _run.Status.SessionFailed(problem);
        if (problem.Header is { } header)
            session.Refuse(header);
    }
}
