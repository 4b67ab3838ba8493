using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The first message and its reply. Spec: VFIO_USER_VERSION.</summary>
/// <remarks>Command thread.</remarks>
/// <param name="run">What is negotiated for.</param>
/// <param name="channel">A fresh connection; borrowed.</param>
/// <param name="peer">Who is at its other end.</param>
internal sealed class Handshake(ServerRun run, MessageChannel channel, PeerCredentials peer)
{
    private readonly ReplyWriter _replies = new(channel.Socket, buffersOutput: !run.MayBlock);

    /// <summary>How long the client may take.</summary>
    public Deadline Deadline { get; } = Deadline.After(run.Options.NegotiationTimeout);

    /// <summary>What came of it; null before, and if nothing did.</summary>
    public Session? Session { get; private set; }

    /// <summary>Why nothing came of it; null before, and if the client has just gone.</summary>
    public string? Problem { get; private set; }

    /// <summary>Answers the proposal if it is there, or comes in time where it may be waited for.</summary>
    /// <returns>False when nothing will come of it; then the client was told, as far as it can be.</returns>
    public bool Step()
    {
        // the receive itself waits for no one: a client that keeps sending and never comes to an end would not be noticed
        if (run.Turn is { } turn && turn.TrySleep())
            Await(turn);
        if (Receive() != ReceiveStatus.Empty)
            return Session is not null;
        if (Deadline.Left > TimeSpan.Zero)
            return true;
        Fail(Errno.ETIMEDOUT, "the client did not propose a version in time");
        return false;
    }

    private void Await(CommandTurn turn)
    {
        try
        {
            PollCalls.WaitReadable(channel.Socket.Handle, (int)Math.Ceiling(Deadline.Left.TotalMilliseconds));
        }
        finally
        {
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
                _replies.Fail(header, Errno.EINVAL);
                _replies.Flush();
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

    // what left the specification but is how QEMU and libvfio-user say that a device can be migrated
    private static MigrationCapability? MigrationOf(ServerRun run) => run.Device.Migration is null ? null : new MigrationCapability
    {
        PageSize = ProtocolLimits.PageSize,
        MaxBitmapSize = (ulong)Math.Clamp(run.Options.MaxBitmapSize, sizeof(ulong), ProtocolLimits.MaxBitmapSize),
    };

    private static Errno Check(in ReceivedMessage message, out ProtocolVersion version, out Capabilities proposed, out string? problem)
    {
        version = default;
        proposed = Capabilities.Unspecified;
        problem = null;
        if (!message.Header.IsCommand || message.Header.Command != Command.Version)
            problem = $"the first message is {message.Header.Command} and not Version";
        return problem is null ? VersionMessage.TryParse(message.Payload, out version, out proposed, out problem) : Errno.EINVAL;
    }

    private Session Begin(in MessageHeader request, Capabilities proposed, NegotiatedReply reply)
    {
        MessageChannel? twin = null;
        SafeSocketHandle? clientEnd = null;
        if (reply.HasTwinSocket)
        {
            (SafeSocketHandle serverEnd, clientEnd) = SocketCalls.CreatePair();
            twin = new MessageChannel(new MessageSocket(serverEnd, new MessageSocketOptions { Trace = run.Log }),
                new MessageChannelOptions { CallTimeout = run.Options.DmaTimeout, MaxConcurrentCalls = run.Options.MaxDmaInFlight });
        }
        try
        {
            byte[] payload = VersionMessage.Format(reply.Version, reply.Capabilities);
            payload.CopyTo(_replies.Begin(request, payload.Length));
            if (clientEnd is null)
                _replies.End(payload.Length);
            else
                _replies.End(payload.Length, [clientEnd]);
            _replies.Flush();
        }
        catch
        {
            twin?.Dispose();
            throw;
        }
        finally
        {
            // the client has its own copy now; a shutdown would end that too
            clientEnd?.Dispose();
        }
        run.Log.Negotiated(peer, reply.Version, twin is not null, proposed);
        return new Session(run, channel, twin, SessionLimits.Between(reply.Capabilities, proposed), _replies) { StopsAtError = StopsAtError(proposed) };
    }

    // SPDK's host proposes nothing, and libvfio-user's client two numbers. Behind the Error bit neither reads on, so that a body
    // there would be its next header. All others that are known read by the size in the header, or by that of a success.
    private static bool StopsAtError(Capabilities proposed) =>
        (proposed.Present & ~(CapabilityKeys.MaxMessageFds | CapabilityKeys.MaxDataTransferSize)) == CapabilityKeys.None;

    private void Refuse(in MessageHeader request, Errno errno, string? problem)
    {
        if (request.Command == Command.Version)
            VersionHandler.Refuse(_replies, request, errno, problem);
        else
            _replies.Fail(request, errno);
        _replies.Flush();
    }

    private void Fail(Errno errno, string problem)
    {
        Problem = problem;
        run.Log.NegotiationFailed(errno, problem);
    }
}
