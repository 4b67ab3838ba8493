using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Negotiation: the first message and its reply. Spec: VFIO_USER_VERSION.</summary>
/// <remarks>Command thread.</remarks>
/// <param name="run">The server's run.</param>
/// <param name="channel">A new connection; borrowed.</param>
/// <param name="peer">The client's credentials.</param>
internal sealed class Handshake(ServerRun run, MessageChannel channel, PeerCredentials peer)
{
    private bool _hasWaited;

    /// <summary>Of the connection, also after negotiation.</summary>
    public ReplyWriter Replies { get; } = new(channel.Socket, buffersOutput: !run.MayBlock, run.Spares.TakeReply());

    /// <summary>When negotiation times out.</summary>
    public Deadline Deadline { get; } = Deadline.After(run.Options.NegotiationTimeout);

    /// <summary>The session; null before negotiation has succeeded.</summary>
    public Session? Session { get; private set; }

    /// <summary>What was agreed on; null as <see cref="Session"/>.</summary>
    public NegotiatedSession? Negotiated { get; private set; }

    /// <summary>Why negotiation failed; null if it has not, or if the client has just disconnected.</summary>
    public string? Problem { get; private set; }

    /// <summary>Replies to the proposal if it has arrived; waits for it, up to the timeout, if the run may block.</summary>
    /// <returns>False when negotiation has failed; the client got an error reply if it sent a valid header.</returns>
    public bool Step()
    {
        if (Receive() != ReceiveStatus.Empty)
            return Session is not null;
        if (Deadline.Left == TimeSpan.Zero)
        {
            Fail(Errno.ETIMEDOUT, "the client did not propose a version in time");
            return false;
        }
        // wait here and not in the receive: with a client that sends byte after byte, that would never time out
        if (run.Turn is { } turn && turn.TrySleep())
            Await(turn);
        return true;
    }

    private void Await(CommandTurn turn)
    {
        try
        {
            // one that sends byte after byte stays, too
            if (_hasWaited)
                turn.ClientStays?.Invoke();
            if (_hasWaited || !turn.IsReadableSoon(channel.Socket.Handle))
                PollCalls.WaitReadable(channel.Socket.Handle, (int)Math.Ceiling(Deadline.Left.TotalMilliseconds));
        }
        finally
        {
            _hasWaited = true;
            turn.Wake();
        }
    }

    private ReceiveStatus Receive()
    {
        try
        {
            ReceiveStatus status = channel.ReceiveCommand(wait: false, out ReceivedMessage message);
            if (status == ReceiveStatus.Received)
                Answer(message);
            return status;
        }
        catch (ProtocolException e)
        {
            Fail(Errno.EINVAL, e.Message);
            if (e.Header is { } header)
            {
                Replies.Fail(header, Errno.EINVAL);
                Replies.Flush();
            }
            return ReceiveStatus.Received;
        }
    }

    private void Answer(in ReceivedMessage message)
    {
        try
        {
            VfioUserServerOptions options = run.Options;
            Errno errno = Check(message, out ProtocolVersion version, out Capabilities proposed, out string? problem);
            NegotiatedReply? reply = null;
            Capabilities own = Capabilities.ServerDefaults with { MaxDmaMaps = options.MaxDmaMaps, Migration = MigrationOf(run) };
            if (errno == Errno.None)
                errno = Negotiator.Negotiate(version, proposed, own, options.TwinSocket, out reply, out problem);
            if (reply is not null)
            {
                Session = Begin(message.Header, proposed, reply);
                return;
            }
            Fail(errno, problem ?? "");
            Refuse(message.Header, errno, problem);
        }
        finally
        {
            message.Fds?.Dispose();
        }
    }

    // no longer in the specification, but QEMU and libvfio-user announce by it that a device can be migrated
    private static MigrationCapability? MigrationOf(ServerRun run) => run.Device.Migration is null ? null : new MigrationCapability
    {
        PageSize = ProtocolLimits.PageSize,
        MaxBitmapSize = (ulong)run.Options.MaxBitmapSize,
    };

    private static Errno Check(in ReceivedMessage message, out ProtocolVersion version, out Capabilities proposed, out string? problem)
    {
        version = default;
        proposed = Capabilities.Unspecified;
        problem = null;
        if (!message.Header.IsCommand || message.Header.Command != Command.Version)
            problem = $"the first message is {message.Header.Command}, not Version";
        return problem is null ? VersionMessage.TryParse(message.Payload, out version, out proposed, out problem) : Errno.EINVAL;
    }

    private Session Begin(in MessageHeader request, Capabilities proposed, NegotiatedReply reply)
    {
        MessageChannel? twin = null;
        SafeSocketHandle? clientEnd = null;
        if (reply.HasTwinSocket)
        {
            (SafeSocketHandle serverEnd, clientEnd) = SocketCalls.CreatePair();
            twin = new MessageChannel(new MessageSocket(serverEnd, run.SocketOptions),
                new MessageChannelOptions { CallTimeout = run.Options.DmaTimeout, MaxConcurrentCalls = run.Options.MaxDmaInFlight });
        }
        try
        {
            byte[] payload = VersionMessage.Format(reply.Version, reply.Capabilities);
            payload.CopyTo(Replies.Begin(request, payload.Length));
            if (clientEnd is null)
                Replies.End(payload.Length);
            else
                Replies.End(payload.Length, [clientEnd]);
            Replies.Flush();
        }
        catch
        {
            twin?.Dispose();
            throw;
        }
        finally
        {
            // the client has its own copy; close ours without a shutdown, which would affect both
            clientEnd?.Dispose();
        }
        run.Log.Negotiated(peer, reply.Version, twin is not null, proposed);
        Negotiated = new NegotiatedSession(reply.Version, twin is not null, proposed, DateTimeOffset.UtcNow);
        return new Session(run, channel, twin, SessionLimits.Between(reply.Capabilities, proposed), Replies) { StopsAtError = StopsAtError(proposed) };
    }

    // SPDK's host proposes no capabilities, libvfio-user's client only these two. Neither reads the payload of an error reply, so it
    // would take one for the next header. All other known clients read as many bytes as the header says, or as a success has.
    private static bool StopsAtError(Capabilities proposed) =>
        (proposed.Present & ~(CapabilityKeys.MaxMessageFds | CapabilityKeys.MaxDataTransferSize)) == CapabilityKeys.None;

    private void Refuse(in MessageHeader request, Errno errno, string? problem)
    {
        if (request.Command == Command.Version)
            VersionHandler.Refuse(Replies, request, errno, problem);
        else
            Replies.Fail(request, errno);
        Replies.Flush();
    }

    private void Fail(Errno errno, string problem)
    {
        Problem = problem;
        run.Log.NegotiationFailed(errno, problem);
    }
}
