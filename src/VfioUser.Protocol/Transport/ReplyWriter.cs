using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Builds replies one after another in one buffer, and sends them with one <c>sendmsg</c>.</summary>
/// <remarks>
/// Command thread. A reply is open from Begin to End. It does not move: a flush meanwhile sends the replies before it.
/// <code>
/// bytes   | sent           | ended, not sent | open reply |  room  |
///                          ^ _sent           ^ _ended
/// </code>
/// </remarks>
[Experimental(Experiments.Transport)]
public sealed class ReplyWriter
{
    private const int SendFrom = 64 << 10;
    private const int Small = 4 << 10;
    // consecutive flushes that did not need a large buffer, or more than a small one
    private const int ShrinkAfter = 256;
    private const int ShrinkToSmallAfter = 16384;

    private readonly MessageSocket _socket;
    private readonly bool _buffersOutput;
    private byte[] _bytes;
    private MessageHeader _request;
    private int _sent;
    private int _ended;
    private int _openLength; // of the payload
    private bool _isOpen;
    private int _smallInARow;

    /// <summary>Creates a writer for <paramref name="socket"/>, which it borrows.</summary>
    public ReplyWriter(MessageSocket socket)
        : this(socket, buffersOutput: false, spare: null)
    {
    }

    /// <summary>Creates a writer that can buffer output in the socket instead of blocking. While there is buffered output, no
    /// more commands must be handled.</summary>
    /// <param name="socket">Borrowed.</param>
    /// <param name="buffersOutput">Whether it does.</param>
    /// <param name="spare">The <see cref="SpareBuffer"/> of another one, or null.</param>
    internal ReplyWriter(MessageSocket socket, bool buffersOutput, byte[]? spare = null)
    {
        ArgumentNullException.ThrowIfNull(socket);
        _socket = socket;
        _bytes = spare ?? Allocate(Small);
        _buffersOutput = buffersOutput;
        if (buffersOutput)
            socket.BufferOutput();
    }

    /// <summary>Its buffer, for another writer, when this one is not used any more; null if it has grown.</summary>
    internal byte[]? SpareBuffer => _bytes.Length == Small ? _bytes : null;

    /// <summary>Bytes of memory in use.</summary>
    internal int Capacity => _bytes.Length;

    /// <summary>Starts the reply to <paramref name="request"/>. A reply that is open is dropped.</summary>
    /// <returns>Memory for the payload, of the requested length, not cleared; valid until End, even if there are flushes
    /// meanwhile.</returns>
    public Span<byte> Begin(in MessageHeader request, int payloadLength)
    {
        _request = request;
        if (_ended + MessageHeader.WireSize + payloadLength > _bytes.Length)
            MakeRoom(MessageHeader.WireSize + payloadLength);
        _isOpen = true;
        _openLength = payloadLength;
        return OpenPayload;
    }

    /// <summary>The payload of the open reply.</summary>
    internal Span<byte> OpenPayload => _bytes.AsSpan(_ended + MessageHeader.WireSize, _openLength);

    /// <summary>Ends the open reply, with the first <paramref name="payloadLength"/> bytes of its payload.</summary>
    /// <returns>False if the peer has disconnected.</returns>
    public bool End(int payloadLength)
    {
        _isOpen = false;
        if (_request.NoReply)
            return true;
        PutHeader(payloadLength, MessageFlags.Reply, 0);
        return _ended - _sent < SendFrom || Flush();
    }

    /// <summary>Whether <see cref="SendLong"/> may be used: not if output can be buffered, for that is a copy.</summary>
    internal bool SendsAtOnce => !_buffersOutput;

    /// <summary>Sends the replies that have ended, and then the open one, whose payload goes on with bytes that are not copied.</summary>
    /// <param name="tail">The bytes, which are read until this returns.</param>
    /// <returns>False if the peer has disconnected.</returns>
    internal bool SendLong(ReadOnlySpan<byte> tail)
    {
        if (_request.NoReply)
        {
            _isOpen = false;
            return true;
        }
        // a long message is sent alone, so that no header is split
        bool sent = Flush();
        _isOpen = false;
        Span<byte> head = _bytes.AsSpan(_ended, MessageHeader.WireSize + _openLength);
        WireFormat.Write(head, new MessageHeader(_request.MessageId, _request.Command, (uint)(head.Length + tail.Length), MessageFlags.Reply, 0));
        return sent && _socket.Send(head, tail, default, Deadline.Never) == Errno.None;
    }

    /// <summary>Ends the open reply, and sends it with descriptors, which it borrows. If the system cannot send them, sends an error
    /// reply instead.</summary>
    /// <returns>False if the peer has disconnected.</returns>
    public bool End(int payloadLength, ReadOnlySpan<SafeHandle> fds) => End(payloadLength, fds, failsWithPayload: false);

    /// <summary>As <see cref="End(int, ReadOnlySpan{SafeHandle})"/>, with a choice whether such an error reply has the payload.</summary>
    internal bool End(int payloadLength, ReadOnlySpan<SafeHandle> fds, bool failsWithPayload)
    {
        if (fds.IsEmpty || _request.NoReply)
            return End(payloadLength);
        // descriptors belong to one message: send earlier replies first, then this one alone
        _isOpen = false;
        (int first, int start) = (_sent, _ended);
        PutHeader(payloadLength, MessageFlags.Reply, 0);
        int end = _ended;
        (_sent, _ended) = (0, 0); // first, since a closed descriptor throws: nothing must be sent twice
        if (start != first && Send(_bytes.AsSpan(first, start - first)) != Errno.None)
            return false;
        Errno errno = Send(_bytes.AsSpan(start, end - start), fds);
        if (errno is Errno.None or Errno.ENOTCONN)
            return errno == Errno.None;
        if (!failsWithPayload)
            return Fail(_request, errno);
        _bytes.AsSpan(start + MessageHeader.WireSize, payloadLength).CopyTo(_bytes.AsSpan(MessageHeader.WireSize));
        return EndFailed(payloadLength, errno);
    }

    /// <summary>Ends the open reply as an error reply, with the first <paramref name="payloadLength"/> bytes of its payload.</summary>
    internal bool EndFailed(int payloadLength, Errno errno)
    {
        _isOpen = false;
        if (_request.NoReply)
            return true;
        PutHeader(payloadLength, MessageFlags.Reply | MessageFlags.Error, (uint)errno);
        return _ended - _sent < SendFrom || Flush();
    }

    /// <summary>Adds an error reply of a header only, as the specification requires.</summary>
    public bool Fail(in MessageHeader request, Errno errno)
    {
        _ = Begin(request, 0);
        return EndFailed(0, errno);
    }

    /// <summary>Sends the replies that have ended.</summary>
    /// <returns>False if the peer has disconnected.</returns>
    public bool Flush()
    {
        if (_ended == _sent)
            return true;
        bool sent = Send(_bytes.AsSpan(_sent, _ended - _sent)) == Errno.None;
        _sent = _ended;
        if (_isOpen)
            return sent;
        if (_bytes.Length > Small)
            Shrink();
        (_sent, _ended) = (0, 0);
        return sent;
    }

    // No reply is open, so unsent replies may be moved.
    private void MakeRoom(int length)
    {
        if (_sent > 0)
        {
            _bytes.AsSpan(_sent, _ended - _sent).CopyTo(_bytes);
            (_sent, _ended) = (0, _ended - _sent);
        }
        int end = _ended + length;
        if (end > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(end, Math.Min(2 * _bytes.Length, 1 << 20)));
    }

    // shrinks a buffer that grew for a large reply, or for many, when that is no longer needed
    private void Shrink()
    {
        // only a dirty bitmap needs more
        if (_bytes.Length > 2 * ProtocolLimits.MaxMessageSize)
        {
            (_bytes, _smallInARow) = (Allocate(SendFrom), 0);
            return;
        }
        bool large = _bytes.Length > 2 * SendFrom;
        _smallInARow = _ended > (large ? SendFrom : Small) ? 0 : _smallInARow + 1;
        if (_smallInARow == (large ? ShrinkAfter : ShrinkToSmallAfter))
            (_bytes, _smallInARow) = (Allocate(large ? SendFrom : Small), 0);
    }

    private Errno Send(ReadOnlySpan<byte> bytes, ReadOnlySpan<SafeHandle> fds = default) =>
        _buffersOutput ? _socket.SendOrBuffer(bytes, fds) : _socket.Send(bytes, default, fds, Deadline.Never);

    private void PutHeader(int payloadLength, MessageFlags flags, uint error)
    {
        int size = MessageHeader.WireSize + payloadLength;
        WireFormat.Write(_bytes.AsSpan(_ended), new MessageHeader(_request.MessageId, _request.Command, (uint)size, flags, error));
        _ended += size;
    }

    private static byte[] Allocate(int size) => GC.AllocateUninitializedArray<byte>(size);
}
