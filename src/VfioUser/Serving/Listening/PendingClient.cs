using System.Globalization;
using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>One client that has come while another one is attached.</summary>
/// <param name="socket">Owned until it is taken.</param>
/// <param name="grace">How long it may hope.</param>
internal sealed class PendingClient(SafeSocketHandle socket, TimeSpan grace) : IDisposable
{
    // of one that says nothing
    private const int MaxPolls = 4;
    // at one who is leaving: QEMU waits for 5 s in all
    private const int MaxPollsAtLeaver = 8;

    private int _polls;
    private int _pollsAtLeaver;
    private MessageChannel? _channel; // once something of what it said was read: it cannot be served any more

    /// <summary>When it is looked at next.</summary>
    public Deadline Due { get; private set; } = Deadline.After(grace);

    /// <summary>Its socket, if it can still be served.</summary>
    public SafeSocketHandle? TryTake() => _channel is null ? socket : null;

    /// <summary>The other client is leaving, and the device is not free yet: waits on, but not for ever.</summary>
    /// <returns>False when it has waited long enough.</returns>
    public bool TryWaitOn()
    {
        if (_channel is not null || ++_pollsAtLeaver > MaxPollsAtLeaver)
            return false;
        Due = Deadline.After(grace);
        return true;
    }

    /// <summary>Answers its proposal, if it is there.</summary>
    /// <returns>False to be called again when it is due.</returns>
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
        // QEMU has room for as much as it has sent, and calls what is longer a broken stream
        if (payload.Length > message.Payload.Length)
            payload = [];
        Span<byte> header = stackalloc byte[MessageHeader.WireSize];
        WireFormat.Write(header, new MessageHeader(request.MessageId, request.Command, (uint)(MessageHeader.WireSize + payload.Length),
            MessageFlags.Reply | MessageFlags.Error, (uint)Errno.EBUSY));
        _channel!.Socket.Send(header, payload);
    }

    // who may not attach need not know who did, and is not asked about on this thread
    private static string Reason(ServerRun run) => run.Options.AcceptPeer is null && run.Status.Peer is { ProcessId: not 0 } other
        ? string.Create(CultureInfo.InvariantCulture, $"the device is in use by process {other.ProcessId}")
        : "the device is in use by another client";
}
