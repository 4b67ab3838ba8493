using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>One AF_UNIX stream socket that carries vfio-user messages and their descriptors.</summary>
/// <remarks>
/// Receiving: one thread at a time. Sending: any thread; a message is never torn by another.
/// Owns the socket. Spec: "Socket", "Header".
/// </remarks>
public sealed partial class MessageSocket : IDisposable
{
    // what a client with one small request at a time needs; many sockets may be idle
    private const int FirstBufferSize = 4 << 10;
    private const int BufferSize = 64 << 10;
    // from here on the rest of a message is worth waiting for in one call
    private const int WaitForAll = 64 << 10;

    private readonly SafeSocketHandle _socket;
    private readonly MessageSocketOptions _options;
    private readonly ReceiveBuffer _buffer = new(FirstBufferSize, BufferSize);
    private readonly Lock _closeLock = new();
    private readonly PendingFds _pendingFds;
    private IMessageTrace? _trace; // null while nobody reads it
    private long _parsed;
    private volatile bool _closed;

    /// <summary>Takes over a connected socket.</summary>
    /// <param name="socket">A connected AF_UNIX stream socket; disposed with this. It is put into blocking mode.</param>
    /// <param name="options">Null for the defaults.</param>
    public MessageSocket(SafeSocketHandle socket, MessageSocketOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(socket);
        _socket = socket;
        _descriptor = (int)socket.DangerousGetHandle();
        _options = options ?? new MessageSocketOptions();
        _pendingFds = new PendingFds(_options.MaxMessageFds);
        _trace = EnabledTrace();
        SocketCalls.SetBlocking(socket);
        if (_options.SocketBufferSize is int size)
            SocketCalls.SetBufferSize(socket, size);
        _whole = SendPiece.WholeOf(SocketCalls.SendBufferSize(socket));
    }

    /// <summary>The socket, to be borrowed: to wait for it, or to send it to a peer. It stays this object's.</summary>
    public SafeSocketHandle Handle => _socket;

    /// <summary>Two sockets that talk to each other.</summary>
    public static (MessageSocket First, MessageSocket Second) CreatePair(MessageSocketOptions? options = null)
    {
        (SafeSocketHandle first, SafeSocketHandle second) = SocketCalls.CreatePair();
        return (new MessageSocket(first, options), new MessageSocket(second, options));
    }

    /// <summary>Receives what is there with one <c>recvmsg</c>.</summary>
    /// <param name="wait">Whether to wait for something to come. The wait can end early with <see cref="ReceiveStatus.Empty"/>
    /// when <see cref="SetReceiveTimeout"/> was called.</param>
    /// <param name="mayReuse">No message from an earlier receive is in use any more, so that its bytes may be overwritten.
    /// Otherwise those stay that <see cref="KeepParsed"/> was called for.</param>
    public ReceiveStatus Receive(bool wait, bool mayReuse = true)
    {
        if (_closed)
            return ReceiveStatus.Closed;
        // asked here, where nobody waits for an answer
        _trace = EnabledTrace();
        if (mayReuse)
            _buffer.ReleaseKept();
        int missing = MissingBytes();
        int flags = !wait ? Libc.MsgDontWait : missing >= WaitForAll ? Libc.MsgWaitAll : 0;
        // waiting for all must not wait for what comes after the message
        Span<byte> free = missing >= WaitForAll ? _buffer.Free[..missing] : _buffer.Free;

        FdList? fds = null;
        int received;
        bool truncated;
        if (wait && _options.Spin > TimeSpan.Zero && TrySpin(free, ref fds, out received, out truncated))
            flags = 0;
        else
            received = SocketCalls.Receive(_socket, free, flags, ref fds, out truncated);

        if (received <= 0)
            return Ended((Errno)(-received));
        int older = _buffer.End - _buffer.Start;
        _buffer.Received(received);
        if (fds is not null || truncated)
        {
            int owner = FdRouting.FindOwner(_buffer.Unparsed, older);
            _pendingFds.Add(_parsed + owner, fds, truncated);
        }
        return ReceiveStatus.Received;
    }

    /// <summary>Cuts the next complete message from what was received.</summary>
    /// <exception cref="ProtocolException">The header claims a size that no message has: the stream is lost.</exception>
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
            string problem = $"{header.Command} (message {header.MessageId}) claims a size of {header.MessageSize} bytes; " +
                $"messages have {MessageHeader.WireSize} to {_options.MaxMessageSize}.";
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

    /// <summary>Takes bytes that are no complete message, with the descriptors that came with them: for one who passes on what
    /// he cannot parse.</summary>
    /// <param name="most">Bytes to take at most.</param>
    /// <param name="fds">The caller's from now on.</param>
    /// <returns>Valid until the next receive; empty when nothing is there.</returns>
    internal ReadOnlySpan<byte> TakeUnparsed(int most, out FdList? fds)
    {
        ReadOnlySpan<byte> taken = _buffer.Unparsed;
        taken = taken[..Math.Min(taken.Length, most)];
        _buffer.Consume(taken.Length);
        _parsed += taken.Length;
        fds = _pendingFds.TakeUntil(_parsed, out _);
        return taken;
    }

    /// <summary>Whether nothing is left of what was received.</summary>
    internal bool IsParsed => _buffer.Start == _buffer.End;

    /// <summary>Takes all complete commands that follow each other and brought no descriptors, without looking closer.</summary>
    /// <remarks>Many small ones come at once; this is what each of them costs before it is handled.</remarks>
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

    /// <summary>Lets what was parsed so far stay in use over the receives that follow.</summary>
    public void KeepParsed() => _buffer.KeepParsed();

    /// <summary>Makes waiting receives come back after this long with <see cref="ReceiveStatus.Empty"/>.</summary>
    public void SetReceiveTimeout(TimeSpan timeout) => SocketCalls.SetReceiveTimeout(_socket, timeout);

    /// <summary>Ends the conversation: receives and sends in progress come back. Any thread.</summary>
    public void Shutdown()
    {
        _closed = true;
        lock (_closeLock)
        {
            if (!_socket.IsClosed)
                SocketCalls.Shutdown(_socket);
        }
    }

    /// <summary>Closes the socket and every descriptor that arrived and was not taken.</summary>
    /// <remarks>After the last receive has come back; <see cref="Shutdown"/> makes it come back.</remarks>
    public void Dispose()
    {
        Shutdown();
        lock (_sendLock)
        {
            lock (_closeLock)
                _socket.Dispose();
        }
        _output?.Dispose();
        _pendingFds.Dispose();
    }

    // Room for the message that has begun, and how many bytes of it have not come.
    private int MissingBytes()
    {
        int needed = MessageHeader.WireSize;
        if (WireFormat.TryRead(_buffer.Unparsed, out MessageHeader header))
            needed = (int)Math.Clamp(header.MessageSize, MessageHeader.WireSize, (uint)_options.MaxMessageSize);
        _buffer.Reserve(needed);
        return needed - _buffer.Unparsed.Length;
    }

    private bool TrySpin(Span<byte> free, ref FdList? fds, out int received, out bool truncated)
    {
        received = SocketCalls.ReceiveSpinning(_socket, free, (long)(_options.Spin.TotalSeconds * Stopwatch.Frequency), ref fds, out truncated);
        return received != -(int)Errno.EAGAIN;
    }

    private IMessageTrace? EnabledTrace() => _options.Trace is { IsEnabled: true } trace ? trace : null;

    private static ReceiveStatus Ended(Errno errno) => errno switch
    {
        Errno.EAGAIN => ReceiveStatus.Empty,
        Errno.None or Errno.ECONNRESET or Errno.ENOTCONN or Errno.EPIPE => ReceiveStatus.Closed,
        _ => throw Libc.Failure("recvmsg", errno),
    };
}
