using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol.Tests.Transport;

/// <summary>The other end of a connection, by bare system calls: each write and read is one of them.</summary>
internal sealed class RawPeer : IDisposable
{
    private readonly SafeSocketHandle _socket;
    private byte[] _unread = [];

    public RawPeer(SafeSocketHandle socket)
    {
        _socket = socket;
        SocketCalls.SetReceiveTimeout(socket, Background.Timeout);
    }

    public SafeSocketHandle Handle => _socket;

    public static (RawPeer Peer, SafeSocketHandle Socket) ConnectBare()
    {
        (SafeSocketHandle ours, SafeSocketHandle theirs) = SocketCalls.CreatePair();
        return (new RawPeer(theirs), ours);
    }

    public static (RawPeer Peer, MessageSocket Socket) Connect(MessageSocketOptions? options = null)
    {
        (RawPeer peer, SafeSocketHandle socket) = ConnectBare();
        return (peer, new MessageSocket(socket, options));
    }

    public static (RawPeer Peer, MessageChannel Channel) ConnectChannel(MessageChannelOptions? options = null)
    {
        (RawPeer peer, MessageSocket socket) = Connect();
        return (peer, new MessageChannel(socket, options ?? new MessageChannelOptions { CallTimeout = Background.Timeout }));
    }

    public void LimitBuffers(int bytes) => SocketCalls.SetBufferSize(_socket, bytes);

    /// <summary>Writes all, in one piece as far as the socket takes it. Waits for a reader, but not for ever.</summary>
    public void Write(ReadOnlySpan<byte> bytes, params ReadOnlySpan<SafeHandle> fds)
    {
        while (!bytes.IsEmpty)
        {
            int sent = SocketCalls.Send(_socket, bytes, default, fds, Libc.MsgDontWait);
            if (sent == -(int)Errno.EAGAIN)
            {
                if (!PollCalls.WaitWritable(_socket, (int)Background.Timeout.TotalMilliseconds))
                    throw new TimeoutException($"Nobody reads what the peer writes, for {Background.Timeout}.");
                continue;
            }
            if (sent <= 0)
                throw new IOException($"The peer cannot write: {(Errno)(-sent)}.");
            bytes = bytes[sent..];
            fds = default;
        }
    }

    /// <summary>What one receive brings; empty at the end of the stream.</summary>
    public byte[] ReadOnce(int max = 4 << 20) => ReadOnce(max, out _);

    public byte[] ReadOnce(int max, out FdList? fds)
    {
        byte[] buffer = new byte[max];
        fds = null;
        int received = SocketCalls.Receive(_socket, buffer, 0, ref fds, out _);
        return received >= 0 ? buffer[..received] : throw new IOException($"The peer cannot read: {(Errno)(-received)}.");
    }

    /// <summary>Exactly so many bytes.</summary>
    public byte[] ReadBytes(int count)
    {
        byte[] bytes = new byte[count];
        for (int done = 0; done < count;)
        {
            byte[] piece = ReadOnce(count - done);
            if (piece.Length == 0)
                throw new IOException("The stream ended too early.");
            piece.CopyTo(bytes, done);
            done += piece.Length;
        }
        return bytes;
    }

    /// <summary>The next message; null at the end of the stream.</summary>
    public byte[]? ReadMessage()
    {
        while (_unread.Length < MessageHeader.WireSize || _unread.Length < WireFormat.Read<MessageHeader>(_unread).MessageSize)
        {
            byte[] more = ReadOnce(64 << 10);
            if (more.Length == 0)
                return null;
            _unread = [.. _unread, .. more];
        }
        int size = (int)WireFormat.Read<MessageHeader>(_unread).MessageSize;
        byte[] message = _unread[..size];
        _unread = _unread[size..];
        return message;
    }

    public MessageHeader ReadHeader() =>
        WireFormat.Read<MessageHeader>(ReadMessage() ?? throw new IOException("The stream ended where a message was due."));

    public void Dispose() => _socket.Dispose();
}
