using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>An AF_UNIX stream socket for vfio-user messages and their descriptors.</summary>
/// <remarks>
/// Receiving: one thread at a time. Sending: any thread; messages are not interleaved.
/// Owns the socket. Spec: "Socket", "Header".
/// </remarks>
[Experimental(Experiments.Transport)]
public sealed partial class MessageSocket : IDisposable
{
    // enough for small requests, one at a time; there may be many idle sockets
    private const int FirstBufferSize = 4 << 10;
    private const int BufferSize = 64 << 10;
    // if this much of a message is missing, receive it in one call with MSG_WAITALL
    private const int WaitForAll = 64 << 10;

    private readonly SafeSocketHandle _socket;
    private readonly MessageSocketOptions _options;
    private readonly ReceiveBuffer _buffer;
    private readonly Lock _closeLock = new();
    private readonly PendingFds _pendingFds;
    private AdaptiveSpin _spin; // of the thread that receives
    private IMessageTrace? _trace; // null while it is not enabled
    private long _parsed;
    private volatile bool _closed;
    private bool _ended; // by the peer

    /// <summary>Takes over a connected socket.</summary>
    /// <param name="socket">A connected AF_UNIX stream socket; disposed with this. It is put into blocking mode.</param>
    /// <param name="options">Null for the defaults.</param>
    public MessageSocket(SafeSocketHandle socket, MessageSocketOptions? options = null)
        : this(options ?? new MessageSocketOptions(), socket ?? throw new ArgumentNullException(nameof(socket)))
    {
        SocketCalls.SetBlocking(socket);
        SetBufferSizes();
    }

    private MessageSocket(MessageSocketOptions options, SafeSocketHandle socket, byte[]? spare = null)
    {
        _buffer = new ReceiveBuffer(FirstBufferSize, BufferSize, spare);
        _socket = socket;
        _descriptor = (int)socket.DangerousGetHandle();
        _options = options;
        _pendingFds = new PendingFds(_options.MaxMessageFds);
        _spin = new AdaptiveSpin(_options.Spin, _options.IsSpinFixed);
        _trace = EnabledTrace();
        _whole = SendPiece.WholeOfAny;
    }

    /// <summary>The socket, to wait for, or to send to a peer. Borrowed.</summary>
    public SafeSocketHandle Handle => _socket;

    /// <summary>Creates two connected sockets.</summary>
    public static (MessageSocket First, MessageSocket Second) CreatePair(MessageSocketOptions? options = null)
    {
        (SafeSocketHandle first, SafeSocketHandle second) = SocketCalls.CreatePair();
        return (new MessageSocket(first, options), new MessageSocket(second, options));
    }

    /// <summary>Takes over a socket that was accepted just now, and is in blocking mode. <see cref="SetBufferSizes"/> is left to the
    /// caller: the client may go at once.</summary>
    internal static MessageSocket OfNewClient(SafeSocketHandle socket, MessageSocketOptions options, SpareBuffers spares) =>
        new(options, socket, spares.TakeReceive());

    /// <inheritdoc cref="ReceiveBuffer.Spare"/>
    internal byte[]? SpareBuffer => _buffer.Spare;

    /// <summary>Receives available bytes with one <c>recvmsg</c>.</summary>
    /// <param name="wait">Whether to wait for bytes. The wait can end with <see cref="ReceiveStatus.Empty"/>
    /// after <see cref="SetReceiveTimeout"/>.</param>
    /// <param name="mayReuse">True if no message of an earlier receive is in use, so that its bytes may be overwritten.
    /// If false, messages for which <see cref="KeepParsed"/> was called stay valid.</param>
    public ReceiveStatus Receive(bool wait, bool mayReuse = true)
    {
        if (_closed)
            return ReceiveStatus.Closed;
        // checked here, and not while a peer waits for a reply
        _trace = EnabledTrace();
        if (mayReuse)
            _buffer.ReleaseKept();
        int missing = MissingBytes();
        int flags = !wait ? Libc.MsgDontWait : missing >= WaitForAll ? Libc.MsgWaitAll : 0;
        // MSG_WAITALL must not wait for bytes beyond this message
        Span<byte> free = missing >= WaitForAll ? _buffer.Free[..missing] : _buffer.Free;

        FdList? fds = null;
        // what is long arrives piece by piece: polling would take each
        int received = wait && missing < WaitForAll
            ? ReceiveAfterSpin(free, ref fds, out bool truncated)
            : SocketCalls.Receive(_socket, free, flags, ref fds, out truncated);

        if (received <= 0)
            return End((Errno)(-received));
        int older = _buffer.End - _buffer.Start;
        _buffer.Received(received);
        if (fds is not null || truncated)
        {
            int owner = FdRouting.FindOwner(_buffer.Unparsed, older);
            _pendingFds.Add(_parsed + owner, fds, truncated);
        }
        return ReceiveStatus.Received;
    }

    /// <summary>Takes the next complete message from the received bytes.</summary>
    /// <exception cref="ProtocolException">The size in the header is not valid: the stream cannot be parsed any further.</exception>
    public bool TryParse(out ReceivedMessage message)
    {
        ReadOnlySpan<byte> unparsed = _buffer.Unparsed;
        if (!WireFormat.TryRead(unparsed, out MessageHeader header))
        {
            message = default;
            return false;
        }
        if (header.MessageSize < MessageHeader.WireSize || header.MessageSize > (uint)_options.MaxMessageSize)
        {
            string problem = $"{header.Command} (message {header.MessageId}) has a size of {header.MessageSize} bytes; " +
                $"the range is {MessageHeader.WireSize} to {_options.MaxMessageSize}.";
            throw new ProtocolException(problem) { Header = header };
        }
        int size = (int)header.MessageSize;
        if (unparsed.Length < size)
        {
            message = default;
            return false;
        }
        Errno fdProblem = Errno.None;
        FdList? fds = _pendingFds.IsEmpty ? null : _pendingFds.TakeUntil(_parsed + size, out fdProblem);
        message = new ReceivedMessage(header, _buffer.Bytes, _buffer.Start, fds, fdProblem);
        _buffer.Consume(size);
        _parsed += size;
        if (_trace is { } trace)
            trace.Message(sent: false, header, message.Payload, message.FdCount);
        return true;
    }

    /// <summary>Takes bytes that are not a complete message, with their descriptors: for a proxy that forwards what it cannot
    /// parse.</summary>
    /// <param name="most">Most bytes to take.</param>
    /// <param name="fds">Owned by the caller.</param>
    /// <returns>The bytes, valid until the next receive; may be empty.</returns>
    internal ReadOnlySpan<byte> TakeUnparsed(int most, out FdList? fds)
    {
        ReadOnlySpan<byte> taken = _buffer.Unparsed;
        taken = taken[..Math.Min(taken.Length, most)];
        _buffer.Consume(taken.Length);
        _parsed += taken.Length;
        fds = _pendingFds.TakeUntil(_parsed, out _);
        return taken;
    }

    /// <summary>Whether all received bytes are parsed.</summary>
    internal bool IsParsed => _buffer.Start == _buffer.End;

    /// <summary>Takes all consecutive complete commands without descriptors, unparsed.</summary>
    /// <remarks>A fast path for many small commands received together.</remarks>
    internal bool TryTakeRun(out MessageRun run)
    {
        ReadOnlySpan<byte> unparsed = _buffer.Unparsed;
        int length = 0;
        int count = 0;
        bool plain = _pendingFds.IsEmpty && _trace is null;
        while (plain && WireFormat.TryRead(unparsed[length..], out MessageHeader header) && header.IsCommand
            && header.MessageSize >= MessageHeader.WireSize && header.MessageSize <= (uint)(unparsed.Length - length)
            && header.MessageSize <= (uint)_options.MaxMessageSize)
        {
            length += (int)header.MessageSize;
            count++;
        }
        run = new MessageRun(_buffer.Bytes, _buffer.Start, length, count);
        _buffer.Consume(length);
        _parsed += length;
        return count > 0;
    }

    /// <summary>Keeps the messages parsed so far valid during later receives.</summary>
    public void KeepParsed() => _buffer.KeepParsed();

    /// <summary>Sets the timeout after which a waiting receive returns <see cref="ReceiveStatus.Empty"/>.</summary>
    public void SetReceiveTimeout(TimeSpan timeout) => SocketCalls.SetReceiveTimeout(_socket, timeout);

    /// <summary>Asks the kernel for buffers as large as the options say.</summary>
    internal void SetBufferSizes()
    {
        if (_options.SocketBufferSize is int size)
            SocketCalls.SetBufferSize(_socket, size);
        _whole = SendPiece.WholeOf(SocketCalls.SendBufferSize(_socket));
    }

    /// <summary>Shuts the socket down: receives and sends in progress return. Any thread.</summary>
    public void Shutdown()
    {
        lock (_closeLock)
        {
            if (_closed)
                return;
            _closed = true;
            if (!_socket.IsClosed)
                SocketCalls.Shutdown(_socket);
        }
    }

    /// <summary>Closes the socket, and received descriptors that were not taken.</summary>
    /// <remarks>Call it when no receive is in progress; <see cref="Shutdown"/> ends one.</remarks>
    public void Dispose()
    {
        // nobody waits in a call if the peer has gone and nobody sends
        bool mine = _ended && _sendLock.TryEnter();
        if (!mine)
        {
            Shutdown();
            _sendLock.Enter();
        }
        lock (_closeLock)
        {
            _closed = true;
            _socket.Dispose();
        }
        _sendLock.Exit();
        _output?.Dispose();
        _pendingFds.Dispose();
    }

    // Makes room for the message that has started to arrive, and returns how many bytes of it are missing.
    private int MissingBytes()
    {
        int needed = MessageHeader.WireSize;
        if (WireFormat.TryRead(_buffer.Unparsed, out MessageHeader header))
            needed = (int)Math.Clamp(header.MessageSize, MessageHeader.WireSize, (uint)_options.MaxMessageSize);
        _buffer.Reserve(needed);
        return needed - _buffer.Unparsed.Length;
    }

    private int ReceiveAfterSpin(Span<byte> free, ref FdList? fds, out bool truncated)
    {
        long start = 0;
        if (_spin.Length > 0)
        {
            int received = SocketCalls.ReceiveSpinning(_socket, free, _spin.Length, ref fds, out truncated, out start);
            if (received != -(int)Errno.EAGAIN)
            {
                _spin.Found();
                return received;
            }
        }
        else if (_spin.Adapts)
        {
            start = Stopwatch.GetTimestamp();
        }
        int slept = SocketCalls.Receive(_socket, free, flags: 0, ref fds, out truncated);
        if (_spin.Adapts)
            _spin.Slept(Stopwatch.GetTimestamp() - start);
        return slept;
    }

    private IMessageTrace? EnabledTrace() => _options.Trace is { IsEnabled: true } trace ? trace : null;

    private ReceiveStatus End(Errno errno)
    {
        if (errno == Errno.EAGAIN)
            return ReceiveStatus.Empty;
        if (errno is not (Errno.None or Errno.ECONNRESET or Errno.ENOTCONN or Errno.EPIPE))
            throw Libc.Failure("recvmsg", errno);
        _ended = true;
        return ReceiveStatus.Closed;
    }
}
