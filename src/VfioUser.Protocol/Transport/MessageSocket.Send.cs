using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <content>Sending: blocking, with a deadline, or without blocking and with an output buffer.</content>
public sealed partial class MessageSocket
{
    private readonly Lock _sendLock = new();
    private readonly int _descriptor; // of _socket; valid with the send lock, while not closed
    private volatile int _whole; // bytes that a send never splits
    private OutputBuffer? _output;

    /// <summary>Whether the output buffer is not empty.</summary>
    internal bool HasOutput => _output is { IsEmpty: false };

    /// <summary>Sends one message, or several consecutive ones in <paramref name="head"/>.</summary>
    /// <param name="head">Starts with a header.</param>
    /// <param name="tail">The rest of the message, sent without a copy; may be empty.</param>
    /// <param name="fds">Borrowed for the call. At most as many as the peer accepts.</param>
    /// <returns>False if the peer has disconnected, or the system cannot send the descriptors.</returns>
    /// <remarks>Any thread. Blocks while the peer does not read. A header is never split, however little the socket accepts at
    /// once.</remarks>
    public bool Send(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail = default, ReadOnlySpan<SafeHandle> fds = default) =>
        Send(head, tail, fds, Deadline.Never) == Errno.None;

    /// <summary>As <see cref="Send(ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{SafeHandle})"/>, with a deadline.</summary>
    /// <returns>ENOTCONN if the peer has disconnected, or the system failed to send, which shuts the socket down. ETIMEDOUT if the
    /// peer did not read in time; if part of the message was sent, the socket is shut down. Another errno if the system cannot
    /// send the descriptors, such as ETOOMANYREFS: then nothing was sent, and the socket stays usable.</returns>
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

    /// <summary>Enables <see cref="SendOrBuffer"/>. Call it before other threads use this socket.</summary>
    internal void BufferOutput() => _output ??= new OutputBuffer();

    /// <summary>Sends messages without blocking, and buffers the rest, which is sent before any later message.</summary>
    /// <param name="messages">One or several consecutive messages.</param>
    /// <param name="fds">Borrowed until the message is sent.</param>
    /// <returns>As <see cref="Send(ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{SafeHandle}, Deadline)"/>; None also if buffered.</returns>
    /// <remarks>One thread at a time; others may call Send meanwhile.</remarks>
    internal Errno SendOrBuffer(ReadOnlySpan<byte> messages, ReadOnlySpan<SafeHandle> fds = default)
    {
        if (_trace is { } trace)
            MessageText.TraceSent(trace, messages, default, fds.Length);
        OutgoingMessages rest = new(messages, default, fds, _whole);
        // if another thread is blocked in Send, buffer the message: it follows that one
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

    /// <summary>Sends buffered output without blocking.</summary>
    /// <returns>False if the peer has disconnected.</returns>
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

    /// <summary>Waits until buffered output is sent.</summary>
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

    // Holding the send lock, as all methods below.
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

    // EAGAIN if something is left
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
                    return failure; // for example ETOOMANYREFS: peers that do not read use up the user's limit of descriptors in flight
                default:
                    messages.IsTorn = true; // the message is lost, and the peer may wait for it: shut down
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

    // EAGAIN if something is left, ENOTCONN if the socket is shut down
    private Errno SendOutputNow()
    {
        if (_closed)
            return Errno.ENOTCONN;
        Errno errno = _output!.Send(_socket, _whole);
        if (errno is Errno.None or Errno.EAGAIN)
            return errno;
        // part of a message may have been sent
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
