using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests.Serving;

/// <summary>A client that says whatever a test wants it to say, byte for byte, and checks what it hears.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly SafeSocketHandle _socket;
    private ushort _lastId = 0x4000; // far from the numbers that the server gives its own commands

    public RawClient(SafeSocketHandle socket)
    {
        _socket = socket;
        SocketCalls.SetReceiveTimeout(socket, Wait.Bound);
    }

    /// <summary>The socket for the server's commands, when there is one.</summary>
    public RawClient? Twin { get; set; }

    public SafeSocketHandle Socket => _socket;

    /// <summary>Connects to a path, or to <c>@name</c>.</summary>
    public static RawClient Connect(string address)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(address[0] == '@' ? "\0" + address[1..] : address));
        return new RawClient(SocketCalls.Duplicate(socket.SafeHandle));
    }

    /// <summary>A message with any header.</summary>
    public static byte[] Message(MessageHeader header, params ReadOnlySpan<byte> payload)
    {
        byte[] bytes = new byte[MessageHeader.WireSize + payload.Length];
        WireFormat.Write(bytes, header);
        payload.CopyTo(bytes.AsSpan(MessageHeader.WireSize));
        return bytes;
    }

    /// <summary>A message with a valid header.</summary>
    public static byte[] Message(ushort id, Command command, ReadOnlySpan<byte> payload = default, MessageFlags flags = MessageFlags.Command) =>
        Message(new MessageHeader(id, command, (uint)(MessageHeader.WireSize + payload.Length), flags, 0), payload);

    public static byte[] Message<T>(ushort id, Command command, T payload, MessageFlags flags = MessageFlags.Command)
        where T : unmanaged => Message(id, command, Bytes(payload), flags);

    /// <summary>The bytes of a structure, and more behind it.</summary>
    public static byte[] Bytes<T>(T value, params ReadOnlySpan<byte> more)
        where T : unmanaged => [.. MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)), .. more];

    public ushort NextId() => ++_lastId;

    /// <summary>Sends bytes in one write. Waits for the server to read, but not for ever.</summary>
    public void SayBytes(ReadOnlySpan<byte> bytes, params ReadOnlySpan<SafeHandle> fds)
    {
        while (!bytes.IsEmpty)
        {
            int sent = SocketCalls.Send(_socket, bytes, default, fds, Libc.MsgDontWait);
            if (sent == -(int)Errno.EAGAIN)
            {
                if (!PollCalls.WaitWritable(_socket, (int)Wait.Bound.TotalMilliseconds))
                    throw new TimeoutException($"The server read nothing for {Wait.Bound}.");
                continue;
            }
            if (sent < 0)
                throw new IOException($"The client cannot send: {(Errno)(-sent)}.");
            bytes = bytes[sent..];
            fds = default;
        }
    }

    public ushort Say(Command command, ReadOnlySpan<byte> payload = default, MessageFlags flags = MessageFlags.Command, params ReadOnlySpan<SafeHandle> fds)
    {
        ushort id = NextId();
        SayBytes(Message(id, command, payload, flags), fds);
        return id;
    }

    public ushort Say<T>(Command command, T payload, MessageFlags flags = MessageFlags.Command, params ReadOnlySpan<SafeHandle> fds)
        where T : unmanaged => Say(command, Bytes(payload), flags, fds);

    /// <summary>Says something and hears the reply to it.</summary>
    public RawReply Ask(Command command, ReadOnlySpan<byte> payload = default, params ReadOnlySpan<SafeHandle> fds) =>
        HearReply(Say(command, payload, MessageFlags.Command, fds), command);

    public RawReply Ask<T>(Command command, T payload, params ReadOnlySpan<SafeHandle> fds)
        where T : unmanaged => Ask(command, Bytes(payload), fds);

    /// <summary>The next message, which must be the reply to a certain one.</summary>
    public RawReply HearReply(ushort id, Command command)
    {
        RawReply reply = Hear();
        reply.Header.MessageId.Should().Be(id, "that was what {0} asked", command);
        reply.Header.Command.Should().Be(command);
        reply.Header.IsReply.Should().BeTrue();
        return reply;
    }

    /// <summary>The next message, which must be a command of the server.</summary>
    public RawReply HearCommand(Command command)
    {
        RawReply message = Hear();
        message.Header.IsCommand.Should().BeTrue("a command was due and not {0}", message.Header);
        message.Header.Command.Should().Be(command);
        return message;
    }

    /// <summary>Answers a command of the server.</summary>
    public void Answer(RawReply command, params ReadOnlySpan<byte> payload) =>
        SayBytes(Message(command.Header.MessageId, command.Header.Command, payload, MessageFlags.Reply));

    /// <summary>The next message, whatever it is.</summary>
    public RawReply Hear() => TryHear() ?? throw new IOException("The server closed the connection where a message was due.");

    /// <summary>Whether the server has closed the connection, after all that it said was heard.</summary>
    public void ShouldHearTheEnd() => TryHear().Should().BeNull("the server should have closed the connection");

    /// <summary>Nothing that was said before is answered any more, and the next command is.</summary>
    public void ShouldBeServed() =>
        Ask(Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0)).ShouldBeGranted<DeviceInfo>();

    /// <summary>Waits until the server has read all that was said.</summary>
    public void ShouldBeRead() => SpinWait.SpinUntil(() => Unread.Of(_socket) == 0, Wait.Bound).Should().BeTrue("the server should have read");

    /// <summary>Says no more, but still listens.</summary>
    public void StopTalking()
    {
        using Socket socket = new(SocketCalls.Duplicate(_socket));
        socket.Shutdown(SocketShutdown.Send);
    }

    public void Dispose()
    {
        Twin?.Dispose();
        _socket.Dispose();
    }

    /// <summary>The next message, or null at the end of the stream.</summary>
    public RawReply? TryHear()
    {
        FdList? fds = null;
        byte[] header = new byte[MessageHeader.WireSize];
        if (!Receive(header, ref fds))
            return null;
        MessageHeader parsed = WireFormat.Read<MessageHeader>(header);
        byte[] payload = new byte[parsed.MessageSize - MessageHeader.WireSize];
        if (!Receive(payload, ref fds))
            throw new IOException($"The connection ended in the middle of {parsed}.");
        return new RawReply(parsed, payload, fds);
    }

    private bool Receive(Span<byte> into, ref FdList? fds)
    {
        while (!into.IsEmpty)
        {
            int received = SocketCalls.Receive(_socket, into, 0, ref fds, out _);
            if (received == -(int)Errno.EAGAIN)
                throw new TimeoutException($"The server said nothing for {Wait.Bound}.");
            if (received <= 0)
                return false;
            into = into[received..];
        }
        return true;
    }
}
