using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Benching;

/// <summary>A bare negotiated connection, so that a measurement covers the server and only two system calls here.</summary>
/// <remarks>One thread. Sending and receiving allocate nothing. Owns the socket.</remarks>
internal sealed class BenchConnection : IDisposable
{
    // a receive timeout of 0 means no timeout
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(1);

    private const int ReceivesWithoutDeadline = 4;

    private readonly MessageSocket _socket;

    private readonly TimeSpan _timeout;
    private readonly CancellationTokenRegistration _stopping;

    /// <summary>Takes ownership of a socket after negotiation.</summary>
    /// <param name="socket">Nothing else may receive from it meanwhile.</param>
    /// <param name="timeout">How long the server may take to answer, or to read.</param>
    /// <param name="stop">Shuts the connection down.</param>
    public BenchConnection(SafeSocketHandle socket, TimeSpan timeout, CancellationToken stop)
    {
        _socket = new MessageSocket(socket);
        _timeout = timeout;
        _socket.SetReceiveTimeout(timeout < ShortestWait ? ShortestWait : timeout);
        _stopping = stop.UnsafeRegister(static socket => ((MessageSocket)socket!).Shutdown(), _socket);
    }

    public static byte[] Message(Command command, ReadOnlySpan<byte> payload, MessageFlags flags = MessageFlags.Command)
    {
        byte[] message = new byte[MessageHeader.WireSize + payload.Length];
        WireFormat.Write(message, new MessageHeader(1, command, (uint)message.Length, flags, 0));
        payload.CopyTo(message.AsSpan(MessageHeader.WireSize));
        return message;
    }

    /// <summary>Sends messages; they may take any time as long as the server reads some.</summary>
    /// <exception cref="VfioUserException">The server has disconnected, or does not read.</exception>
    public void Send(ReadOnlySpan<byte> messages)
    {
        Errno errno = _socket.Send(messages, default, default, Deadline.After(_timeout));
        if (errno != Errno.None)
            throw new VfioUserException(WireFormat.Read<MessageHeader>(messages).Command, errno);
    }

    /// <summary>Receives one reply.</summary>
    /// <returns>The error of the reply.</returns>
    /// <exception cref="VfioUserException">The server does not answer, or has disconnected.</exception>
    public Errno Receive(Command command)
    {
        // the first receives need no deadline, so that a fast reply costs no clock read
        Deadline end = Deadline.Never;
        for (int receives = 0; ; receives++)
        {
            if (_socket.TryParse(out ReceivedMessage message))
            {
                message.Fds?.Dispose();
                if (message.Header.IsReply)
                    return !message.Header.IsError ? Errno.None : message.Header.Error == 0 ? Errno.EIO : (Errno)message.Header.Error;
            }
            else
            {
                ReceiveStatus status = _socket.Receive(wait: true);
                if (status == ReceiveStatus.Closed)
                    throw new VfioUserException(command, Errno.ENOTCONN);
                // the socket's receive timeout has expired
                if (status == ReceiveStatus.Empty)
                    throw new VfioUserException(command, Errno.ETIMEDOUT);
            }
            // a server may keep sending other messages and never the reply
            if (receives == ReceivesWithoutDeadline)
                end = Deadline.After(_timeout);
            else if (receives > ReceivesWithoutDeadline && end.Left <= TimeSpan.Zero)
                throw new VfioUserException(command, Errno.ETIMEDOUT);
        }
    }

    public void Dispose()
    {
        _stopping.Dispose();
        _socket.Dispose();
    }
}
