using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <content>Receives the end of a large message where it belongs.</content>
public sealed partial class MessageSocket
{
    /// <summary>Receives the rest of a large message that has begun to arrive, if <paramref name="placement"/> has a place for its end.
    /// Waits for all of it.</summary>
    /// <param name="placement">Where it belongs.</param>
    /// <param name="mayReuse">As for <see cref="Receive"/>.</param>
    /// <param name="message">What has not been placed; the size in its header is that of this part.</param>
    /// <returns><see cref="ReceiveStatus.Empty"/> if there is no such message, or no place.</returns>
    internal ReceiveStatus ReceiveInPlace(IPayloadPlacement placement, bool mayReuse, out ReceivedMessage message)
    {
        message = default;
        ReadOnlySpan<byte> begun = _buffer.Unparsed;
        // a trace has whole messages
        if (_closed || !_pendingFds.IsEmpty || EnabledTrace() is not null || !WireFormat.TryRead(begun, out MessageHeader header)
            || header.MessageSize > (uint)_options.MaxMessageSize || header.MessageSize < (uint)(begun.Length + WaitForAll))
        {
            return ReceiveStatus.Empty;
        }
        Span<byte> place = placement.Find(header, begun[MessageHeader.WireSize..]);
        if (place.IsEmpty)
            return ReceiveStatus.Empty;
        if (mayReuse)
            _buffer.ReleaseKept();
        int head = (int)header.MessageSize - place.Length;
        begun[head..].CopyTo(place);
        FdList? fds = null;
        ReceiveStatus status = ReceiveAll(place[(begun.Length - head)..], ref fds, out bool truncated);
        if (status != ReceiveStatus.Received)
        {
            fds?.Dispose();
            return status;
        }
        _parsed += (int)header.MessageSize;
        if (fds is not null || truncated)
            _pendingFds.Add(_parsed - 1, fds, truncated);
        Errno fdProblem = Errno.None;
        fds = _pendingFds.IsEmpty ? null : _pendingFds.TakeUntil(_parsed, out fdProblem);
        int start = _buffer.Start;
        header = header with { MessageSize = (uint)head };
        WireFormat.Write(_buffer.Bytes.AsSpan(start), header);
        _buffer.Consume(begun.Length);
        message = new ReceivedMessage(header, _buffer.Bytes, start, fds, fdProblem);
        return ReceiveStatus.Received;
    }

    private ReceiveStatus ReceiveAll(Span<byte> rest, ref FdList? fds, out bool truncated)
    {
        truncated = false;
        while (!rest.IsEmpty)
        {
            int received = SocketCalls.Receive(_socket, rest, Libc.MsgWaitAll, ref fds, out bool lost);
            truncated |= lost;
            if (received > 0)
                rest = rest[received..];
            else if (_closed || End((Errno)(-received)) != ReceiveStatus.Empty) // empty after the receive timeout
                return ReceiveStatus.Closed;
        }
        return ReceiveStatus.Received;
    }
}
