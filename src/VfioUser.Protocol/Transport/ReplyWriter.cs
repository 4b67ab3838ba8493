using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Builds replies one after another in one buffer and sends them with one <c>sendmsg</c>.</summary>
/// <remarks>Command thread.</remarks>
public sealed class ReplyWriter
{
    private const int SendFrom = 64 << 10;
    private const int Small = 4 << 10;
    // flushes in a row that had no use for a large buffer, and for one that is not small
    private const int ShrinkAfter = 256;
    private const int ShrinkToSmallAfter = 16384;

    private readonly MessageSocket _socket;
    private readonly bool _buffersOutput;
    private byte[] _bytes = Allocate(Small);
    private MessageHeader _request;
    private int _length;
    private int _smallInARow;

    /// <summary>A writer of replies for <paramref name="socket"/>, which it borrows.</summary>
    public ReplyWriter(MessageSocket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        _socket = socket;
    }

    /// <summary>One that never waits for the peer to read: what does not fit is buffered by the socket. Who hands out
    /// commands must stop while something is.</summary>
    internal ReplyWriter(MessageSocket socket, bool buffersOutput)
        : this(socket)
    {
        _buffersOutput = buffersOutput;
        if (buffersOutput)
            socket.BufferOutput();
    }

    /// <summary>Bytes of memory that it holds.</summary>
    internal int Capacity => _bytes.Length;

    /// <summary>Starts the reply to <paramref name="request"/>.</summary>
    /// <returns>Memory for the payload, of the length asked for and not cleared.</returns>
    public Span<byte> Begin(in MessageHeader request, int payloadLength)
    {
        _request = request;
        int end = _length + MessageHeader.WireSize + payloadLength;
        if (end > _bytes.Length)
            Array.Resize(ref _bytes, Math.Max(end, Math.Min(2 * _bytes.Length, 1 << 20)));
        return _bytes.AsSpan(_length + MessageHeader.WireSize, payloadLength);
    }

    /// <summary>Ends the reply that was begun, with the first <paramref name="payloadLength"/> bytes of its payload.</summary>
    /// <returns>False when the peer has gone.</returns>
    public bool End(int payloadLength)
    {
        if (_request.NoReply)
            return true;
        PutHeader(payloadLength, MessageFlags.Reply, 0);
        return _length < SendFrom || Flush();
    }

    /// <summary>Ends the reply that was begun and sends it with descriptors, which it borrows. An error takes its place when the
    /// system does not pass them on.</summary>
    /// <returns>False when the peer has gone.</returns>
    public bool End(int payloadLength, ReadOnlySpan<SafeHandle> fds) => End(payloadLength, fds, failsWithPayload: false);

    /// <summary>As <see cref="End(int, ReadOnlySpan{SafeHandle})"/>, and says whether an error has the payload behind it, too.</summary>
    internal bool End(int payloadLength, ReadOnlySpan<SafeHandle> fds, bool failsWithPayload)
    {
        if (fds.IsEmpty || _request.NoReply)
            return End(payloadLength);
        // descriptors belong to one message: what was built before goes first, and this one alone
        int start = _length;
        PutHeader(payloadLength, MessageFlags.Reply, 0);
        int end = _length;
        _length = 0; // if a descriptor is closed already, that throws: nothing must be sent twice
        if (start != 0 && Send(_bytes.AsSpan(0, start)) != Errno.None)
            return false;
        Errno errno = Send(_bytes.AsSpan(start, end - start), fds);
        if (errno is Errno.None or Errno.ENOTCONN)
            return errno == Errno.None;
        if (!failsWithPayload)
            return Fail(_request, errno);
        _bytes.AsSpan(start + MessageHeader.WireSize, payloadLength).CopyTo(_bytes.AsSpan(MessageHeader.WireSize));
        return EndFailed(payloadLength, errno);
    }

    /// <summary>Ends the reply that was begun as an error, with the first <paramref name="payloadLength"/> bytes of its payload behind it.</summary>
    internal bool EndFailed(int payloadLength, Errno errno)
    {
        if (_request.NoReply)
            return true;
        PutHeader(payloadLength, MessageFlags.Reply | MessageFlags.Error, (uint)errno);
        return _length < SendFrom || Flush();
    }

    /// <summary>Answers with an error: a bare header, as the specification wants it.</summary>
    public bool Fail(in MessageHeader request, Errno errno)
    {
        _ = Begin(request, 0);
        return EndFailed(0, errno);
    }

    /// <summary>Sends what was built.</summary>
    /// <returns>False when the peer has gone.</returns>
    public bool Flush()
    {
        if (_length == 0)
            return true;
        bool sent = Send(_bytes.AsSpan(0, _length)) == Errno.None;
        if (_bytes.Length > Small)
            Shrink();
        _length = 0;
        return sent;
    }

    // a buffer that grew for a large reply, or for many, goes when it is not used any more
    private void Shrink()
    {
        // only a bitmap of dirty pages can make it that long
        if (_bytes.Length > 2 * ProtocolLimits.MaxMessageSize)
        {
            (_bytes, _smallInARow) = (Allocate(SendFrom), 0);
            return;
        }
        bool large = _bytes.Length > 2 * SendFrom;
        _smallInARow = _length > (large ? SendFrom : Small) ? 0 : _smallInARow + 1;
        if (_smallInARow == (large ? ShrinkAfter : ShrinkToSmallAfter))
            (_bytes, _smallInARow) = (Allocate(large ? SendFrom : Small), 0);
    }

    private Errno Send(ReadOnlySpan<byte> bytes, ReadOnlySpan<SafeHandle> fds = default) =>
        _buffersOutput ? _socket.SendOrBuffer(bytes, fds) : _socket.Send(bytes, default, fds, Deadline.Never);

    private void PutHeader(int payloadLength, MessageFlags flags, uint error)
    {
        int size = MessageHeader.WireSize + payloadLength;
        WireFormat.Write(_bytes.AsSpan(_length), new MessageHeader(_request.MessageId, _request.Command, (uint)size, flags, error));
        _length += size;
    }

    private static byte[] Allocate(int size) => GC.AllocateUninitializedArray<byte>(size);
}
