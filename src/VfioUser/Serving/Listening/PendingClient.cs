using System.Globalization;
using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A client that has connected while another one is attached.</summary>
/// <param name="socket">Owned until <see cref="TryTake"/>.</param>
/// <param name="grace">How long it waits for the other one to disconnect.</param>
internal sealed class PendingClient(SafeSocketHandle socket, TimeSpan grace) : IDisposable
{
    // for a proposal, before a silent client is disconnected
    private const int MaxPolls = 4;

    // while the other client is leaving: QEMU times out after 5 s
    private const int MaxPollsWhileLeaving = 8;

    private int _polls;
    private int _pollsWhileLeaving;
    private MessageChannel? _channel; // set once something may have been received: then it can only be refused

    /// <summary>When to poll it next.</summary>
    public Deadline Due { get; private set; } = Deadline.After(grace);

    /// <summary>Its socket, if it can still be served; otherwise null.</summary>
    public SafeSocketHandle? TryTake() => _channel is null ? socket : null;

    /// <summary>Extends the wait while the other client is leaving, up to a limit.</summary>
    /// <returns>False at the limit.</returns>
    public bool TryWaitOn()
    {
        if (_channel is not null || ++_pollsWhileLeaving > MaxPollsWhileLeaving)
            return false;
        Due = Deadline.After(grace);
        return true;
    }

    /// <summary>Refuses its proposal, if that has arrived.</summary>
    /// <returns>True when it is done with; false to call it again when it is due.</returns>
    public bool TryRefuse(ServerRun run)
    {
        if (!PollCalls.WaitReadable(socket, 0))
            return Late();
        _channel ??= new MessageChannel(new MessageSocket(socket, new MessageSocketOptions { Trace = run.Log }));
        switch (_channel.ReceiveCommand(wait: false, out ReceivedMessage message))
        {
            case ReceiveStatus.Empty:
                return Late();
            case ReceiveStatus.Received:
                message.Fds?.Dispose();
                Refuse(run, message);
                return true;
            default:
                return true;
        }
    }

    public void Dispose()
    {
        _channel?.Dispose();
        socket.Dispose();
    }

    private bool Late()
    {
        Due = Deadline.After(grace);
        return ++_polls == MaxPolls;
    }

    private void Refuse(ServerRun run, in ReceivedMessage message)
    {
        MessageHeader request = message.Header;
        if (!request.IsCommand)
            return;
        PeerCredentials peer = SocketPeer.Credentials(socket);
        string reason = Reason(run);
        run.Log.Busy(peer.ProcessId, peer.UserId, reason);
        if (request.NoReply)
            return;
        byte[] payload = request.Command == Command.Version ? VersionMessage.FormatRefusal(reason) : [];
        // QEMU has room for as many bytes as it has sent, and disconnects if there are more
        if (payload.Length > message.Payload.Length)
            payload = [];
        Span<byte> header = stackalloc byte[MessageHeader.WireSize];
        WireFormat.Write(header, new MessageHeader(request.MessageId, request.Command, (uint)(MessageHeader.WireSize + payload.Length),
            MessageFlags.Reply | MessageFlags.Error, (uint)Errno.EBUSY));
        _channel!.Socket.Send(header, payload);
    }

    // With AcceptPeer, the process is not named: this client may not be allowed to know it, and AcceptPeer must not run here.
    private static string Reason(ServerRun run) => run.Options.AcceptPeer is null && run.Status.Peer is { ProcessId: not 0 } other
        ? string.Create(CultureInfo.InvariantCulture, $"the device is in use by process {other.ProcessId}")
        : "the device is in use by another client";
}
