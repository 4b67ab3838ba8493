using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The first message and its reply. Spec: VFIO_USER_VERSION.</summary>
internal static class Handshake
{
    // of a timer
    private static readonly TimeSpan LongestTimeout = TimeSpan.FromMilliseconds(int.MaxValue);

    /// <summary>Negotiates on a fresh connection.</summary>
    /// <returns>The session, or null when there is none to be had; then the client was told, as far as it can be.</returns>
    public static Session? TryBegin(PciDevice device, MessageChannel channel, VfioUserServerOptions options, ServerLog log, CancellationToken stopping)
    {
        // a client that keeps sending and never comes to an end would not be noticed by waiting for it
        using CancellationTokenSource late = new(options.NegotiationTimeout < LongestTimeout ? options.NegotiationTimeout : Timeout.InfiniteTimeSpan);
        using CancellationTokenRegistration cutOff = late.Token.Register(channel.Shutdown);
        if (!TryReceive(channel, log, late.Token, out ReceivedMessage message))
            return null;
        try
        {
            Errno errno = Check(message, out ProtocolVersion version, out Capabilities proposed, out string? problem);
            NegotiatedReply? reply = null;
            Capabilities own = Capabilities.ServerDefaults with { MaxDmaMaps = options.MaxDmaMaps, Migration = MigrationOf(device) };
            if (errno == Errno.None)
                errno = Negotiator.Negotiate(version, proposed, own, options.TwinSocket, out reply, out problem);
            if (reply is not null)
                return Begin(device, channel, message.Header, proposed, reply, options, log, stopping);
            log.NegotiationFailed(errno, problem ?? "");
            ReplyWriter replies = new(channel.Socket);
            replies.Fail(message.Header, errno);
            replies.Flush();
            return null;
        }
        finally
        {
            message.Fds?.Dispose();
        }
    }

    // what left the specification but is how QEMU and libvfio-user say that a device can be migrated
    private static MigrationCapability? MigrationOf(PciDevice device) => device.Migration is null ? null
        : new MigrationCapability { PageSize = ProtocolLimits.PageSize, MaxBitmapSize = ProtocolLimits.MaxDataTransferSize };

    private static bool TryReceive(MessageChannel channel, ServerLog log, CancellationToken late, out ReceivedMessage message)
    {
        try
        {
            if (channel.ReceiveCommand(wait: true, out message) == ReceiveStatus.Received)
                return true;
            if (late.IsCancellationRequested)
                log.NegotiationFailed(Errno.ETIMEDOUT, "the client did not propose a version in time");
            return false;
        }
        catch (ProtocolException e)
        {
            log.NegotiationFailed(Errno.EINVAL, e.Message);
            if (e.Header is { } header)
            {
                ReplyWriter replies = new(channel.Socket);
                replies.Fail(header, Errno.EINVAL);
                replies.Flush();
            }
        }
        message = default;
        return false;
    }

    private static Errno Check(in ReceivedMessage message, out ProtocolVersion version, out Capabilities proposed, out string? problem)
    {
        version = default;
        proposed = Capabilities.Unspecified;
        problem = null;
        if (!message.Header.IsCommand || message.Header.Command != Command.Version)
            problem = $"the first message is {message.Header.Command} and not Version";
        else if (message.FdCount != 0 || message.FdProblem != Errno.None)
            problem = "the version message came with descriptors";
        return problem is null ? VersionMessage.TryParse(message.Payload, out version, out proposed, out problem) : Errno.EINVAL;
    }

    private static Session Begin(PciDevice device, MessageChannel channel, in MessageHeader request, Capabilities proposed,
        NegotiatedReply reply, VfioUserServerOptions options, ServerLog log, CancellationToken stopping)
    {
        MessageChannel? twin = null;
        SafeSocketHandle? clientEnd = null;
        if (reply.HasTwinSocket)
        {
            (SafeSocketHandle serverEnd, clientEnd) = SocketCalls.CreatePair();
            twin = new MessageChannel(new MessageSocket(serverEnd, new MessageSocketOptions { Trace = log }), new MessageChannelOptions { CallTimeout = options.DmaTimeout });
        }
        try
        {
            byte[] payload = VersionMessage.Format(reply.Version, reply.Capabilities);
            ReplyWriter replies = new(channel.Socket);
            payload.CopyTo(replies.Begin(request, payload.Length));
            if (clientEnd is null)
                replies.End(payload.Length);
            else
                replies.End(payload.Length, [clientEnd]);
            replies.Flush();
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
        log.Negotiated(reply.Version.Major, reply.Version.Minor, twin is not null);
        SessionLimits limits = SessionLimits.Between(reply.Capabilities, proposed);
        return new Session(device, channel, twin, limits, options, log, stopping);
    }
}
