using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Benching;

/// <summary>A negotiated connection without anything around it: what is measured is the server, and two system calls here.</summary>
/// <remarks>One thread. Sending and receiving allocate nothing. Owns the socket.</remarks>
internal sealed class BenchConnection : IDisposable
{
    // none at all would wait for ever
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(1);

    private const int FreeLooks = 4;

    private readonly MessageSocket _socket;

    private readonly TimeSpan _patience;
    private readonly CancellationTokenRegistration _stopping;

    /// <summary>Takes over a socket on which all was negotiated.</summary>
    /// <param name="socket">Nobody else receives from it meanwhile.</param>
    /// <param name="patience">How long the server may take to answer, or to read.</param>
    /// <param name="stop">Ends the conversation.</param>
    public BenchConnection(SafeSocketHandle socket, TimeSpan patience, CancellationToken stop)
    {
        _socket = new MessageSocket(socket);
        _patience = patience;
        _socket.SetReceiveTimeout(patience < ShortestWait ? ShortestWait : patience);
        _stopping = stop.UnsafeRegister(static socket => ((MessageSocket)socket!).Shutdown(), _socket);
    }

    public static byte[] Message(Command command, ReadOnlySpan<byte> payload, MessageFlags flags = MessageFlags.Command)
    {
        byte[] message = new byte[MessageHeader.WireSize + payload.Length];
        WireFormat.Write(message, new MessageHeader(1, command, (uint)message.Length, flags, 0));
        payload.CopyTo(message.AsSpan(MessageHeader.WireSize));
        return message;
    }

    /// <summary>Sends messages, however long the server takes to read them as long as it reads.</summary>
    /// <exception cref="VfioUserException">The server has gone, or reads nothing.</exception>
    public void Send(ReadOnlySpan<byte> messages)
    {
        Errno errno = _socket.Send(messages, default, default, Deadline.After(_patience));
        if (errno != Errno.None)
            throw new VfioUserException(WireFormat.Read<MessageHeader>(messages).Command, errno);
    }

    /// <summary>Takes one reply.</summary>
    /// <returns>The errno of a refusal.</returns>
    /// <exception cref="VfioUserException">The server does not answer, or is gone.</exception>
    public Errno Receive(Command command)
    {
        // an answer that is there costs no look at the clock
        Deadline end = Deadline.Never;
        for (int looks = 0; ; looks++)
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
                // the socket's timeout is our patience
                if (status == ReceiveStatus.Empty)
                    throw new VfioUserException(command, Errno.ETIMEDOUT);
            }
            // one who sends something again and again, and never the answer
            if (looks == FreeLooks)
                end = Deadline.After(_patience);
            else if (looks > FreeLooks && end.Left <= TimeSpan.Zero)
                throw new VfioUserException(command, Errno.ETIMEDOUT);
        }
    }

    public void Dispose()
    {
        _stopping.Dispose();
        _socket.Dispose();
    }
}
