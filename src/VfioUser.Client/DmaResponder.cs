using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>The thread that serves the server's commands, on the twin socket or on the main one.</summary>
internal sealed class DmaResponder
{
    private readonly MessageChannel _channel;
    private readonly ReplyWriter _replies;
    private readonly IDmaHandler? _handler;
    private readonly int _maxTransfer;
    private readonly Thread _thread;

    public DmaResponder(MessageChannel channel, IDmaHandler? handler, int maxTransfer)
    {
        _channel = channel;
        _replies = new ReplyWriter(channel.Socket);
        _handler = handler;
        _maxTransfer = maxTransfer;
        _thread = new Thread(Run) { Name = "vfio-user client", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Why the conversation ended, if it was not by intent.</summary>
    public Exception? Failure { get; private set; }

    public void Join() => _thread.Join();

    private void Run()
    {
        try
        {
            while (_channel.ReceiveCommand(wait: true, out ReceivedMessage message) == ReceiveStatus.Received)
            {
                Errno errno = Handle(message);
                message.Fds?.Dispose();
                if (errno != Errno.None)
                    _replies.Fail(message.Header, errno);
                if (!_channel.HasBufferedCommand && !_replies.Flush())
                    break;
            }
        }
        catch (Exception e) when (e is ProtocolException or IOException)
        {
            Failure = e;
            _channel.Shutdown();
        }
    }

    private Errno Handle(in ReceivedMessage message)
    {
        if (!message.Header.IsCommand || message.Header.Command is not (Command.DmaRead or Command.DmaWrite))
            return Errno.EINVAL;
        if (!WireFormat.TryRead(message.Payload, out DmaAccess access) || access.Count > (ulong)_maxTransfer
            || access.Count > 0 && access.Address > ulong.MaxValue - (access.Count - 1))
            return Errno.EINVAL;
        if (_handler is null)
            return Errno.ENODEV;
        return message.Header.Command == Command.DmaRead ? Read(message.Header, access) : Write(message, access);
    }

    private Errno Read(in MessageHeader header, in DmaAccess access)
    {
        Span<byte> payload = _replies.Begin(header, DmaAccess.WireSize + (int)access.Count);
        WireFormat.Write(payload, access);
        Span<byte> data = payload[DmaAccess.WireSize..];
        data.Clear();
        Errno errno = _handler!.Read(access.Address, data);
        if (errno == Errno.None)
            _replies.End(payload.Length);
        return errno;
    }

    private Errno Write(in ReceivedMessage message, in DmaAccess access)
    {
        ReadOnlySpan<byte> data = message.Payload[DmaAccess.WireSize..];
        if ((ulong)data.Length != access.Count)
            return Errno.EINVAL;
        Errno errno = _handler!.Write(access.Address, data);
        if (errno != Errno.None)
            return errno;
        WireFormat.Write(_replies.Begin(message.Header, DmaAccess.WireSize), access);
        _replies.End(DmaAccess.WireSize);
        return Errno.None;
    }
}
