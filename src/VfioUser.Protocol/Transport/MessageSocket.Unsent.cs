using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <content>Sending without waiting: what does not fit is kept, and goes before whatever is sent next.</content>
public sealed partial class MessageSocket
{
    private UnsentBytes? _unsent;

    /// <summary>Whether something waits for the socket to become writable.</summary>
    internal bool HasUnsent => _unsent is { IsEmpty: false };

    /// <summary>From now on <see cref="SendOrKeep"/> may be used. Before any other thread knows this socket.</summary>
    internal void KeepUnsent() => _unsent ??= new UnsentBytes(_whole);

    /// <summary>Sends whole messages as far as they fit, and keeps the rest.</summary>
    /// <param name="messages">One, or several that follow each other.</param>
    /// <param name="fds">Borrowed until the message is sent.</param>
    /// <returns>As <see cref="Send(ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{SafeHandle}, Deadline)"/>; none when it is kept.</returns>
    /// <remarks>One thread at a time; others may send meanwhile.</remarks>
    internal Errno SendOrKeep(ReadOnlySpan<byte> messages, ReadOnlySpan<SafeHandle> fds = default)
    {
        if (_trace is { } trace)
            MessageText.TraceSent(trace, messages, default, fds.Length);
        UnsentBytes unsent = _unsent!;
        // somebody else waits in a send of his own: behind him it is as good as in the socket
        bool mine = _sendLock.TryEnter();
        bool torn = false;
        int piece = 0;
        try
        {
            Errno errno = mine ? SendUnsentNow() : Errno.EAGAIN;
            while (errno == Errno.None && !messages.IsEmpty)
            {
                if (piece == 0)
                    piece = SendPiece.Next(messages, _whole);
                int sent = fds.IsEmpty
                    ? SocketCalls.Send(_descriptor, messages[..piece], Libc.MsgDontWait)
                    : SocketCalls.Send(_socket, messages[..piece], default, fds, Libc.MsgDontWait);
                if (sent > 0)
                {
                    messages = messages[sent..];
                    piece -= sent;
                    fds = default;
                    torn = !messages.IsEmpty;
                }
                else
                {
                    errno = (Errno)(-sent);
                }
            }
            switch (errno)
            {
                case Errno.None:
                    return Errno.None;
                case Errno.EAGAIN:
                    unsent.Append(messages, piece, fds);
                    torn = false;
                    return Errno.None;
                case Errno.EPIPE or Errno.ECONNRESET or Errno.ENOTCONN:
                    return Errno.ENOTCONN;
                default:
                    torn |= fds.IsEmpty;
                    return fds.IsEmpty ? Errno.ENOTCONN : errno;
            }
        }
        finally
        {
            if (mine)
                _sendLock.Exit();
            if (torn)
                Shutdown();
        }
    }

    /// <summary>Sends what was kept, as far as it fits now.</summary>
    /// <returns>False when the peer has gone.</returns>
    internal bool TrySendUnsent()
    {
        if (!HasUnsent || !_sendLock.TryEnter())
            return !_closed;
        try
        {
            return IsThere(SendUnsentNow());
        }
        finally
        {
            _sendLock.Exit();
        }
    }

    /// <summary>Waits until what was kept is sent.</summary>
    internal Errno SendUnsent(Deadline deadline)
    {
        if (!HasUnsent)
            return Errno.None;
        if (!_sendLock.TryEnter(deadline.Left))
            return Errno.ETIMEDOUT;
        try
        {
            return SendUnsentFirst(deadline);
        }
        finally
        {
            _sendLock.Exit();
        }
    }

    // with the send lock
    private Errno SendUnsentFirst(Deadline deadline)
    {
        while (true)
        {
            Errno errno = SendUnsentNow();
            if (errno != Errno.EAGAIN)
                return IsThere(errno) ? Errno.None : Errno.ENOTCONN;
            if (!WaitWritable(deadline))
                return Errno.ETIMEDOUT;
        }
    }

    // with the send lock
    private Errno SendUnsentNow()
    {
        if (_closed)
            return Errno.ENOTCONN;
        Errno errno = _unsent!.Send(_socket);
        // whatever failed, a message may have been torn
        if (errno is not (Errno.None or Errno.EAGAIN))
            Shutdown();
        return errno;
    }

    private static bool IsThere(Errno errno) => errno is Errno.None or Errno.EAGAIN;
}
