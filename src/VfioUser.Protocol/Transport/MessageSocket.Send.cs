using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <content>Sending: at once, until a deadline, or without waiting; then what does not fit is buffered.</content>
public sealed partial class MessageSocket
{
    private readonly Lock _sendLock = new();
    private readonly int _descriptor; // of _socket; under the send lock, while not closed
    private readonly int _whole; // bytes that one send never cuts
    private OutputBuffer? _output;

    /// <summary>Whether something waits for the socket to become writable.</summary>
    internal bool HasOutput => _output is { IsEmpty: false };

    /// <summary>Sends one message, or several that follow each other in <paramref name="head"/>.</summary>
    /// <param name="head">Begins with a header.</param>
    /// <param name="tail">Follows <paramref name="head"/> in the same message without being copied; may be empty.</param>
    /// <param name="fds">Borrowed for the call. At most what the peer accepts.</param>
    /// <returns>False when the peer has gone, or the system does not pass the descriptors on.</returns>
    /// <remarks>Any thread. Blocks while the peer does not read. No header arrives in two pieces, whatever the socket takes
    /// at once.</remarks>
    public bool Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail = default, ReadOnlySpan<SafeHandle> fds = default) =>
        Send(head, tail, fds, Deadline.Never) == Errno.None;

    /// <summary>As <see cref="Send(ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{SafeHandle})"/>, but does not block for ever.</summary>
    /// <returns>ENOTCONN when the peer has gone, or the system cannot send and the conversation is over. ETIMEDOUT when it did not
    /// read in time: if it got part of the message, the conversation is over, as nothing can follow that. Another errno when
    /// the descriptors are not passed on, ETOOMANYREFS for one: nothing was sent, and the conversation is as it was.</returns>
    internal Errno Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, ReadOnlySpan<SafeHandle> fds, Deadline deadline)
    {
        if (_trace is { } trace)
            MessageText.TraceSent(trace, head, tail, fds.Length);
        if (deadline.IsNever)
            _sendLock.Enter();
        else if (!_sendLock.TryEnter(deadline.Left))
            return Errno.ETIMEDOUT;
        OutgoingMessages messages = new(head, tail, fds, _whole);
        try
        {
            if (HasOutput && SendOutput(deadline) is Errno errno and not Errno.None)
                return errno;
            return SendAll(ref messages, deadline);
        }
        finally
        {
            _sendLock.Exit();
            if (messages.IsTorn)
                Shutdown();
        }
    }

    /// <summary>From now on <see cref="SendOrBuffer"/> may be used. Before any other thread knows this socket.</summary>
    internal void BufferOutput() => _output ??= new OutputBuffer(_whole);

    /// <summary>Sends whole messages as far as they fit, and buffers the rest, which goes before whatever is sent next.</summary>
    /// <param name="messages">One, or several that follow each other.</param>
    /// <param name="fds">Borrowed until the message is sent.</param>
    /// <returns>As <see cref="Send(ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{SafeHandle}, Deadline)"/>; none when it is buffered.</returns>
    /// <remarks>One thread at a time; others may send meanwhile.</remarks>
    internal Errno SendOrBuffer(ReadOnlySpan<byte> messages, ReadOnlySpan<SafeHandle> fds = default)
    {
        if (_trace is { } trace)
            MessageText.TraceSent(trace, messages, default, fds.Length);
        OutgoingMessages rest = new(messages, default, fds, _whole);
        // somebody else waits in a send of his own: behind him it is as good as in the socket
        bool mine = _sendLock.TryEnter();
        try
        {
            Errno errno = mine ? SendOutputNow() : Errno.EAGAIN;
            if (errno == Errno.None)
                errno = SendNow(ref rest, Libc.MsgDontWait);
            if (errno != Errno.EAGAIN)
                return errno;
            _output!.Append(rest.Head, rest.Piece, rest.Fds);
            rest = default;
            return Errno.None;
        }
        finally
        {
            if (mine)
                _sendLock.Exit();
            if (rest.IsTorn)
                Shutdown();
        }
    }

    /// <summary>Sends what was buffered, as far as it fits now.</summary>
    /// <returns>False when the peer has gone.</returns>
    internal bool TrySendOutput()
    {
        if (!HasOutput || !_sendLock.TryEnter())
            return !_closed;
        try
        {
            return SendOutputNow() != Errno.ENOTCONN;
        }
        finally
        {
            _sendLock.Exit();
        }
    }

    /// <summary>Waits until what was buffered is sent.</summary>
    internal Errno FlushOutput(Deadline deadline)
    {
        if (!HasOutput)
            return Errno.None;
        if (!_sendLock.TryEnter(deadline.Left))
            return Errno.ETIMEDOUT;
        try
        {
            return SendOutput(deadline);
        }
        finally
        {
            _sendLock.Exit();
        }
    }

    // with the send lock, as all that follows
    private Errno SendAll(ref OutgoingMessages messages, Deadline deadline)
    {
        int flags = deadline.IsNever ? 0 : Libc.MsgDontWait;
        while (true)
        {
            Errno errno = SendNow(ref messages, flags);
            if (errno != Errno.EAGAIN)
                return errno;
            if (!WaitWritable(deadline))
                return Errno.ETIMEDOUT;
        }
    }

    // EAGAIN when something is left that did not fit
    private Errno SendNow(ref OutgoingMessages messages, int flags)
    {
        while (!messages.IsEmpty)
        {
            if (_closed)
                return Errno.ENOTCONN;
            int sent = messages.IsPlain
                ? SocketCalls.Send(_descriptor, messages.Head[..messages.Piece], flags)
                : SocketCalls.Send(_socket, messages.Head[..messages.Piece], messages.TailOfPiece, messages.Fds, flags);
            if (sent > 0)
            {
                messages.Sent(sent);
                continue;
            }
            switch ((Errno)(-sent))
            {
                case Errno.EAGAIN:
                    return Errno.EAGAIN;
                case Errno.EPIPE or Errno.ECONNRESET or Errno.ENOTCONN:
                    return Errno.ENOTCONN;
                case Errno failure when !messages.Fds.IsEmpty:
                    return failure; // other peers that do not read can use up what a user may have under way
                default:
                    messages.IsTorn = true; // no memory, no socket: somebody will wait for this message in vain
                    return Errno.ENOTCONN;
            }
        }
        return Errno.None;
    }

    private Errno SendOutput(Deadline deadline)
    {
        while (true)
        {
            Errno errno = SendOutputNow();
            if (errno != Errno.EAGAIN)
                return errno;
            if (!WaitWritable(deadline))
                return Errno.ETIMEDOUT;
        }
    }

    // EAGAIN when something is left, ENOTCONN when the conversation is over
    private Errno SendOutputNow()
    {
        if (_closed)
            return Errno.ENOTCONN;
        Errno errno = _output!.Send(_socket);
        if (errno is Errno.None or Errno.EAGAIN)
            return errno;
        // whatever failed, a message may have been torn
        Shutdown();
        return Errno.ENOTCONN;
    }

    private bool WaitWritable(Deadline deadline)
    {
        while (true)
        {
            TimeSpan left = deadline.Left;
            if (PollCalls.WaitWritable(_socket, (int)Math.Ceiling(left.TotalMilliseconds)))
                return true;
            if (left <= TimeSpan.Zero)
                return false;
        }
    }
}
