namespace VfioUser.Protocol;

/// <summary>The reply to a command. Dispose it soon: its memory belongs to the channel.</summary>
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
    /// <see cref="Errno.None"/> for success. Otherwise the errno of the peer's error reply, <see cref="Errno.ETIMEDOUT"/> if there
    /// was no reply in time, <see cref="Errno.ENOTCONN"/> if the peer has disconnected, <see cref="Errno.ENOMEM"/> if more commands
    /// arrived before the reply than may be queued, <see cref="Errno.ECANCELED"/> if the channel's calls were cancelled, or the errno
    /// of a system call that could not send the descriptors.
    /// </summary>
    public Errno Errno { get; }

    /// <summary>The header; default if there was no reply.</summary>
    internal MessageHeader Header { get; }

    /// <summary>Why a version was refused, if the peer has sent a reason.</summary>
    internal string? Reason { get; }

    /// <summary>The payload; empty after an error.</summary>
    public ReadOnlySpan<byte> Payload => _call is null ? default : _call.Payload;

    /// <summary>The reply's descriptors, or null. Those that are not taken are closed with the reply.</summary>
    public FdList? Fds => _call?.Fds;

    /// <summary>Returns the memory to the channel.</summary>
    public void Dispose()
    {
        if (_call is not null)
            _channel.Release(_call, _messageId);
    }
}
