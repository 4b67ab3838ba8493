using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Benching;

/// <summary>A negotiated connection without anything around it: what is measured is the server, and two system calls here.</summary>
/// <remarks>One thread. Sending and receiving allocate nothing. Owns the socket.</remarks>
internal sealed class BenchConnection : IDisposable
{
    // none at all would wait for ever
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(1);

    private readonly MessageSocket _socket;

    private BenchConnection(MessageSocket socket, TimeSpan patience)
    {
        _socket = socket;
        _socket.SetReceiveTimeout(patience < ShortestWait ? ShortestWait : patience);
    }

    /// <summary>Connects and negotiates, without a twin socket.</summary>
    public static BenchConnection Open(string path, TimeSpan patience)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path));
        }
        catch (SocketException e)
        {
            throw new IOException($"Cannot connect to '{path}': {e.Message}", e);
        }
        BenchConnection connection = new(new MessageSocket(SocketCalls.Duplicate(socket.SafeHandle)), patience);
        try
        {
            byte[] proposal = VersionMessage.Format(Negotiator.Version, Negotiator.Propose(Capabilities.ClientDefaults, TwinSocketPolicy.Never));
            connection.Send(Message(Command.Version, proposal));
            Errno errno = connection.Receive(Command.Version);
            return errno == Errno.None ? connection : throw new VfioUserException(Command.Version, errno);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public static byte[] Message(Command command, ReadOnlySpan<byte> payload, MessageFlags flags = MessageFlags.Command)
    {
        byte[] message = new byte[MessageHeader.WireSize + payload.Length];
        WireFormat.Write(message, new MessageHeader(1, command, (uint)message.Length, flags, 0));
        payload.CopyTo(message.AsSpan(MessageHeader.WireSize));
        return message;
    }

    public void Send(ReadOnlySpan<byte> messages)
    {
        if (!_socket.Send(messages))
            throw new VfioUserException(Command.RegionRead, Errno.ENOTCONN);
    }

    /// <summary>Takes one reply.</summary>
    /// <returns>The errno of a refusal.</returns>
    /// <exception cref="VfioUserException">The server is silent, or gone.</exception>
    public Errno Receive(Command command)
    {
        while (true)
        {
            if (_socket.TryParse(out ReceivedMessage message))
            {
                message.Fds?.Dispose();
                if (message.Header.IsReply)
                    return !message.Header.IsError ? Errno.None : message.Header.Error == 0 ? Errno.EIO : (Errno)message.Header.Error;
                continue;
            }
            ReceiveStatus status = _socket.Receive(wait: true);
            if (status == ReceiveStatus.Closed)
                throw new VfioUserException(command, Errno.ENOTCONN);
            // the socket's timeout is our patience
            if (status == ReceiveStatus.Empty)
                throw new VfioUserException(command, Errno.ETIMEDOUT);
        }
    }

    public void Dispose() => _socket.Dispose();
}
