using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Checking;

/// <summary>One connection to the server, on which any bytes can be sent. One thread; owns the socket and received descriptors.</summary>
internal sealed class Conversation : IDisposable
{
    private const string Header = "Header";

    // how often Ctrl-C is checked while the server is silent
    private static readonly TimeSpan LongestTick = TimeSpan.FromMilliseconds(200);

    private readonly MessageSocket _socket;
    private readonly TimeSpan _timeout;
    private readonly TimeSpan _tick;
    private readonly CancellationToken _stop;
    private readonly CancellationTokenRegistration _stopping;
    private readonly List<FdList> _fds = [];
    private readonly Dictionary<ushort, uint> _readCounts = [];
    private ushort _lastId;

    public Conversation(SafeSocketHandle socket, TimeSpan timeout, CancellationToken stop)
    {
        // a server may send larger messages than this library does
        _socket = new MessageSocket(socket, new MessageSocketOptions { MaxMessageFds = 64, MaxMessageSize = 1 << 24 });
        _tick = TimeSpan.FromMilliseconds(Math.Clamp(timeout.TotalMilliseconds, 1, LongestTick.TotalMilliseconds)); // 0 would wait for ever
        _socket.SetReceiveTimeout(_tick);
        _timeout = timeout;
        _stop = stop;
        _stopping = stop.UnsafeRegister(static socket => ((MessageSocket)socket!).Shutdown(), _socket);
    }

    /// <summary>The capabilities of the server's version reply.</summary>
    public Capabilities Server { get; set; } = Capabilities.Unspecified;

    /// <summary>Sends bytes as they are. A server that has disconnected is noticed when a reply is awaited.</summary>
    /// <exception cref="SilentServerException">It does not read.</exception>
    public void Send(ReadOnlySpan<byte> bytes, params ReadOnlySpan<SafeHandle> fds)
    {
        if (_socket.Send(bytes, default, fds, Deadline.After(_timeout)) == Errno.ETIMEDOUT)
            throw new SilentServerException($"the server has read nothing for {_timeout.TotalSeconds} seconds (--server-timeout)");
    }

    /// <summary>Sends a command.</summary>
    /// <returns>Its message id.</returns>
    public ushort Post(Command command, ReadOnlySpan<byte> payload, MessageFlags flags = MessageFlags.Command, params ReadOnlySpan<SafeHandle> fds)
    {
        Send(Bytes.Message(++_lastId, command, payload, flags), fds);
        if (command == Command.RegionRead && WireFormat.TryRead(payload, out RegionAccess access))
            _readCounts[_lastId] = access.Count;
        else
            _readCounts.Remove(_lastId);
        return _lastId;
    }

    /// <summary>Sends a command, receives its reply and checks the header.</summary>
    /// <exception cref="BrokenRuleException">No reply was received in time, or it does not match the command.</exception>
    public Answer Ask(Command command, ReadOnlySpan<byte> payload, params ReadOnlySpan<SafeHandle> fds)
    {
        ushort id = Post(command, payload, MessageFlags.Command, fds);
        return Expect(id, command);
    }

    /// <summary>As <see cref="Ask(Command, ReadOnlySpan{byte}, ReadOnlySpan{SafeHandle})"/>, with a payload that is one structure.</summary>
    public Answer Ask<T>(Command command, in T payload)
        where T : unmanaged =>
        Ask(command, Bytes.Of(payload));

    /// <summary>Receives the reply to a command that was sent.</summary>
    public Answer Expect(ushort id, Command command)
    {
        Answer answer = TryReceive(command) ?? throw new BrokenRuleException($"the server disconnected before it answered {command}");
        if (answer.Header.MessageId != id || answer.Header.Command != command)
        {
            string got = $"{answer.Header.Command} with message id {answer.Header.MessageId}";
            throw new BrokenRuleException($"the reply is for {got}, expected was one for {command} with {id}") { Heading = Header };
        }
        return answer;
    }

    /// <summary>Sends a command that must be refused: by an error reply without payload, or with that of a success.</summary>
    /// <returns>The errno.</returns>
    public Errno Refused(Command command, ReadOnlySpan<byte> payload, string what, params ReadOnlySpan<SafeHandle> fds)
    {
        Answer answer = Ask(command, payload, fds);
        if (!answer.IsError)
            throw new BrokenRuleException($"{command} with {what} was accepted");
        return answer.Errno;
    }

    /// <summary>As <see cref="Refused(Command, ReadOnlySpan{byte}, string, ReadOnlySpan{SafeHandle})"/>, with one structure.</summary>
    public Errno Refused<T>(Command command, in T payload, string what)
        where T : unmanaged =>
        Refused(command, Bytes.Of(payload), what);

    /// <summary>Checks with a valid command that the stream is still in sync.</summary>
    public void StaysInSync()
    {
        Answer info = Ask(Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));
        if (info.IsError)
            throw new BrokenRuleException($"a valid DeviceGetInfo after it was {info.Refusal}");
    }

    /// <summary>Receives the next reply, and refuses commands of the server's meanwhile.</summary>
    /// <returns>Null when the server has disconnected.</returns>
    /// <exception cref="BrokenRuleException">It is silent, or out of sync.</exception>
    public Answer? TryReceive(Command awaited)
    {
        // counted in waits: time in which this process is stopped does not count
        int ticks = (int)Math.Ceiling(_timeout / _tick);
        Stopwatch time = Stopwatch.StartNew();
        bool received = false;
        while (true)
        {
            _stop.ThrowIfCancellationRequested();
            bool parsed = TryParse(out ReceivedMessage message);
            if (parsed && !message.Header.IsCommand)
                return Taken(message);
            // a server may keep sending other messages and never the reply
            if (ticks <= 0 || (received && time.Elapsed >= _timeout))
                throw new SilentServerException($"no answer to {awaited} within {_timeout.TotalSeconds} seconds (--server-timeout)");
            if (parsed)
            {
                message.Fds?.Dispose();
                if (!message.Header.NoReply)
                    RefuseCommand(message.Header);
                continue;
            }
            ReceiveStatus status = _socket.Receive(wait: true);
            if (status == ReceiveStatus.Closed)
            {
                _stop.ThrowIfCancellationRequested();
                return null;
            }
            if (status == ReceiveStatus.Empty)
                ticks--;
            else
                received = true;
        }
    }

    /// <summary>One receive without parsing. Only while no message has been received in part.</summary>
    /// <returns>Number of bytes; 0 when the server has disconnected.</returns>
    /// <exception cref="SilentServerException">Nothing was received in time.</exception>
    public int ReceiveOnce(Span<byte> bytes)
    {
        for (int ticks = (int)Math.Ceiling(_timeout / _tick); ticks > 0; ticks--)
        {
            FdList? fds = null;
            int received = SocketCalls.Receive(_socket.Handle, bytes, 0, ref fds, out _);
            fds?.Dispose();
            _stop.ThrowIfCancellationRequested();
            if (received >= 0)
                return received;
            if (received != -(int)Errno.EAGAIN)
                return 0;
        }
        throw new SilentServerException($"nothing was received within {_timeout.TotalSeconds} seconds (--server-timeout)");
    }

    /// <summary>Sends as much as possible without blocking.</summary>
    /// <returns>Number of bytes.</returns>
    public int SendSome(ReadOnlySpan<byte> bytes) => Math.Max(0, SocketCalls.Send((int)_socket.Handle.DangerousGetHandle(), bytes, Libc.MsgDontWait));

    /// <summary>Waits, so that the server receives the bytes sent so far on their own.</summary>
    public void Pause(TimeSpan time) => _stop.WaitHandle.WaitOne(time);

    public void Dispose()
    {
        _stopping.Dispose();
        _socket.Dispose();
        foreach (FdList fds in _fds)
            fds.Dispose();
    }

    private bool TryParse(out ReceivedMessage message)
    {
        try
        {
            return _socket.TryParse(out message);
        }
        catch (ProtocolException e)
        {
            throw new BrokenRuleException($"the server is out of sync: {e.Message}");
        }
    }

    private Answer Taken(in ReceivedMessage message)
    {
        if (message.Fds is { } fds)
            _fds.Add(fds);
        return Checked(new Answer(message.Header, message.Payload.ToArray(), message.Fds));
    }

    private Answer Checked(Answer answer)
    {
        if (!answer.Header.IsReply)
            throw new BrokenRuleException($"the server sent a message of type {(uint)(answer.Header.Flags & MessageFlags.TypeMask)}") { Heading = Header };
        if (answer.IsError && answer.Payload.Length > 0 && !MayFollowRefusal(answer))
            throw new BrokenRuleException($"the refusal of {answer.Header.Command} has a payload of {answer.Payload.Length} bytes; it must be a header alone, or what a success would have") { Heading = Header };
        return answer;
    }

    // One client in use reads the size of a success and ignores the Error bit, so servers reply with that size. docs/protocol-notes.md
    // has the sizes.
    private bool MayFollowRefusal(Answer answer)
    {
        int length = answer.Payload.Length;
        return answer.Header.Command switch
        {
            Command.Version => length == ProtocolVersion.WireSize || (length > ProtocolVersion.WireSize && answer.Payload[^1] == 0),
            Command.DmaUnmap => length == DmaUnmap.WireSize,
            Command.DeviceGetInfo => length == DeviceInfo.WireSize,
            Command.DeviceGetRegionInfo => length == RegionInfo.WireSize,
            Command.DeviceGetIrqInfo => length == IrqInfo.WireSize,
            Command.RegionRead => _readCounts.TryGetValue(answer.Header.MessageId, out uint count)
                ? length == RegionAccess.WireSize + count || (length == RegionAccess.WireSize && count > Server.MaxDataTransferSize)
                : length >= RegionAccess.WireSize,
            Command.RegionWrite => length == RegionAccess.WireSize,
            _ => false,
        };
    }

    private void RefuseCommand(in MessageHeader command) => Send(Bytes.Of(command with
    {
        MessageSize = MessageHeader.WireSize,
        Flags = MessageFlags.Reply | MessageFlags.Error,
        Error = (uint)Errno.ENODEV,
    }));
}
