using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Client;

/// <summary>A client of a vfio-user server: the part of a virtual machine monitor.</summary>
/// <remarks>
/// Any thread. Commands wait for their replies and throw <see cref="VfioUserException"/> when they are refused.
/// Waiting callers read the socket themselves; with a twin socket or a <see cref="VfioUserClientOptions.DmaHandler"/> a
/// thread of the client's own answers the server's commands.
/// </remarks>
public sealed partial class VfioUserClient : IDisposable
{
    private readonly MessageChannel _channel;
    private readonly MessageChannel? _twin;
    private readonly DmaResponder? _responder;
    private readonly CancellationToken _cancellation;
    private readonly CancellationTokenRegistration _cancelling;

    private VfioUserClient(MessageChannel channel, MessageChannel? twin, VfioUserClientOptions options, ProtocolVersion version, Capabilities server)
    {
        _channel = channel;
        _twin = twin;
        Version = version;
        ServerCapabilities = server;
        Limits = SessionLimits.Between(options.Capabilities, server);
        _cancellation = options.Cancellation;
        _cancelling = EndWhen(channel, options.Cancellation);
        // without a twin socket the server's commands come on the main one, which this thread then always reads
        if (twin is not null || options.DmaHandler is not null)
            _responder = new DmaResponder(twin ?? channel, options.DmaHandler, Limits.MaxTransferToReceive);
    }

    /// <summary>The negotiated version.</summary>
    public ProtocolVersion Version { get; }

    /// <summary>The capabilities of the server's reply.</summary>
    public Capabilities ServerCapabilities { get; }

    /// <summary>The limits that follow from both sides' capabilities.</summary>
    public SessionLimits Limits { get; }

    /// <summary>Whether the server's commands come on a socket of their own.</summary>
    public bool HasTwinSocket => _twin is not null;

    /// <summary>Connects to a server's socket and negotiates.</summary>
    /// <param name="path">A path, or <c>@name</c> for a name in the abstract namespace.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="IOException">No server listens there, or its queue was full for <see cref="VfioUserClientOptions.ConnectTimeout"/>.</exception>
    /// <exception cref="VfioUserException">The server refused.</exception>
    /// <exception cref="ProtocolException">The version reply is invalid or not acceptable.</exception>
    /// <exception cref="OperationCanceledException"><see cref="VfioUserClientOptions.Cancellation"/> was cancelled.</exception>
    public static VfioUserClient Connect(string path, VfioUserClientOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new VfioUserClientOptions();
        return FromConnected(ConnectCalls.Connect(path, options.ConnectTimeout, options.Cancellation), options);
    }

    /// <summary>Negotiates on a connected socket, and takes ownership of it.</summary>
    /// <inheritdoc cref="Connect"/>
    public static VfioUserClient FromConnected(SafeSocketHandle socket, VfioUserClientOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(socket);
        options ??= new VfioUserClientOptions();
        MessageChannel channel = new(new MessageSocket(socket, SocketOptions(options)), ChannelOptions(options));
        try
        {
            using CancellationTokenRegistration cancelling = EndWhen(channel, options.Cancellation);
            return Negotiate(channel, options);
        }
        catch
        {
            channel.Dispose();
            throw;
        }
    }

    /// <summary>Sends any command and returns the reply.</summary>
    /// <exception cref="VfioUserException">The server refused it, or did not answer.</exception>
    /// <exception cref="OperationCanceledException"><see cref="VfioUserClientOptions.Cancellation"/> was cancelled.</exception>
    public Reply Call(Command command, ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail = default,
        ReadOnlySpan<System.Runtime.InteropServices.SafeHandle> fds = default)
    {
        Reply reply = _channel.Call(command, head, tail, fds);
        if (reply.Errno == Errno.None)
            return reply;
        Errno errno = reply.Errno;
        reply.Dispose();
        throw Failure(command, errno, _cancellation);
    }

    /// <summary>Sends bytes that are no message, then disconnects: for tests of servers.</summary>
    internal void Break(ReadOnlySpan<byte> garbage)
    {
        if (!garbage.IsEmpty)
            _channel.Socket.Send(garbage);
        _channel.Shutdown();
        _twin?.Shutdown();
    }

    /// <summary>Shuts down only the twin socket: for tests of servers.</summary>
    internal void BreakTwin() => _twin?.Shutdown();

    /// <summary>Disconnects.</summary>
    public void Dispose()
    {
        _cancelling.Dispose();
        _channel.Shutdown();
        _twin?.Shutdown();
        _responder?.Join();
        _twin?.Dispose();
        _channel.Dispose();
    }

    private static VfioUserClient Negotiate(MessageChannel channel, VfioUserClientOptions options)
    {
        byte[] proposal = VersionMessage.Format(options.Version, Negotiator.Propose(options.Capabilities, options.TwinSocket));
        using Reply reply = channel.Call(Command.Version, proposal);
        if (reply.Errno != Errno.None)
            throw Failure(Command.Version, reply.Errno, options.Cancellation, reply.Reason);
        Errno errno = VersionMessage.TryParse(reply.Payload, out ProtocolVersion version, out Capabilities server, out string? problem);
        TwinSocketOutcome twin = TwinSocketOutcome.NotEnabled;
        if (errno == Errno.None)
        {
            errno = Negotiator.CheckReply(options.Version, version, server, reply.Fds?.Count ?? 0, options.TwinSocket, out twin, out problem);
        }
        if (errno != Errno.None)
            throw new ProtocolException($"The server's version reply cannot be used ({errno}): {problem}.");
        MessageChannel? twinChannel = null;
        if (twin.FdIndex is { } index)
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle fd = reply.Fds!.Take(index);
            if (!SocketCalls.IsConnectedStream(fd))
                throw new ProtocolException($"The server's version reply cannot be used: descriptor {index} is no connected socket.");
            twinChannel = new MessageChannel(new MessageSocket(SocketCalls.Duplicate(fd), new MessageSocketOptions { Spin = options.Spin }), ChannelOptions(options));
        }
        return new VfioUserClient(channel, twinChannel, options, version, server);
    }

    // shutting down wakes every thread that waits for the server
    private static CancellationTokenRegistration EndWhen(MessageChannel channel, CancellationToken cancelled) =>
        cancelled.UnsafeRegister(static channel => ((MessageChannel)channel!).Shutdown(), channel);

    private static Exception Failure(Command command, Errno errno, CancellationToken cancellation, string? reason = null) =>
        errno == Errno.ENOTCONN && cancellation.IsCancellationRequested
            ? new OperationCanceledException(cancellation)
            : new VfioUserException(command, errno, reason);

    // a bitmap of dirty pages may be longer than any other reply
    private static MessageSocketOptions SocketOptions(VfioUserClientOptions options)
    {
        ulong bitmap = Math.Min(options.Capabilities.Migration?.MaxBitmapSize ?? 0, ProtocolLimits.MaxBitmapSize);
        return new MessageSocketOptions { MaxMessageSize = Math.Max(ProtocolLimits.MaxMessageSize, (int)bitmap + 4096), Spin = options.Spin };
    }

    private static MessageChannelOptions ChannelOptions(VfioUserClientOptions options) => new() { CallTimeout = options.Timeout };
}
