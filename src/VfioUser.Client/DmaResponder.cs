using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>The thread that serves the server's commands, on the twin socket or on the main one.</summary>
internal sealed class DmaResponder
{
    /// <summary>A test's handler returns it to leave a command without a reply.</summary>
    public const Errno NoAnswer = (Errno)(-1);

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

    public void Join()
    {
        // the handler may dispose the client on this thread
        if (Thread.CurrentThread != _thread)
            _thread.Join();
    }

    private void Run()
    {
        try
        {
            while (_channel.ReceiveCommand(wait: true, out ReceivedMessage message) == ReceiveStatus.Received)
            {
                Answer(message);
                if (!_channel.HasBufferedCommand && !_replies.Flush())
                    break;
            }
        }
        catch (Exception e) when (e is ProtocolException or IOException)
        {
            // the stream is broken: end the channel, so that calls on it fail
            _channel.Shutdown();
        }
    }

    private void Answer(in ReceivedMessage message)
    {
        Errno errno;
        try
        {
            errno = Handle(message);
        }
        catch (Exception)
        {
            // a failing handler must neither leave the server without a reply nor end the process
            errno = Errno.EIO;
        }
        finally
        {
            message.Fds?.Dispose();
        }
        // an unexpected reply gets no error reply: two peers that sent one would do so for ever
        if (errno is not (Errno.None or NoAnswer) && !message.Header.IsReply)
            _replies.Fail(message.Header, errno);
    }

    private Errno Handle(in ReceivedMessage message)
    {
        if (!message.Header.IsCommand || message.Header.Command is not (Command.DmaRead or Command.DmaWrite))
            return Errno.EINVAL;
        if (!WireFormat.TryRead(message.Payload, out DmaAccess access) || access.Count > (ulong)_maxTransfer
            || access.Count > 0 && access.Address > ulong.MaxValue - (access.Count - 1))
        {
            return Errno.EINVAL;
        }
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
