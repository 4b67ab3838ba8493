namespace VfioUser.Protocol;

/// <summary>The answer to a command that was sent. Dispose it soon: the channel lends it its memory.</summary>
public readonly ref struct Reply
{
    private readonly MessageChannel _channel;
    private readonly PendingCall? _call;
    private readonly ushort _messageId;

    internal Reply(MessageChannel channel, PendingCall? call, Errno errno, MessageHeader header = default, string? reason = null)
    {
        _channel = channel;
        _call = call;
        _messageId = call?.MessageId ?? 0;
        Errno = errno;
        Header = header;
        Reason = reason;
    }

    /// <summary>
    /// <see cref="Errno.None"/> when the peer did it. Otherwise what the peer answered, or
    /// <see cref="Errno.ETIMEDOUT"/> when it did not in time, or <see cref="Errno.ENOTCONN"/> when it has gone.
    /// </summary>
    public Errno Errno { get; }

    /// <summary>Of what came; default when nothing did.</summary>
    internal MessageHeader Header { get; }

    /// <summary>Why a version was refused, if the peer says.</summary>
    internal string? Reason { get; }

    /// <summary>What followed the reply's header; empty after an error.</summary>
    public ReadOnlySpan<byte> Payload => _call is null ? default : _call.Payload;

    /// <summary>Descriptors that came with the reply, or null. What is not taken is closed with the reply.</summary>
    public FdList? Fds => _call?.Fds;

    /// <summary>Gives the memory back to the channel.</summary>
    public void Dispose()
    {
        if (_call is not null)
            _channel.Release(_call, _messageId);
    }
}
