namespace VfioUser.Protocol;

/// <summary>Limits of a <see cref="MessageChannel"/>. Immutable.</summary>
public sealed record MessageChannelOptions
{
    /// <summary>How long a command that was sent may stay unanswered. Default 5 seconds.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Commands that may be under way to the peer at one time: another call waits until one of them is answered or given
    /// up. From 1 to 256, the default.</summary>
    public int MaxConcurrentCalls
    {
        get;
        init => field = value is >= 1 and <= PendingCall.MaxConcurrent
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"From 1 to {PendingCall.MaxConcurrent} calls can be under way.");
    } = PendingCall.MaxConcurrent;

    /// <summary>Commands that may wait while one is being handled. Then nothing is received until that is over, and a call in
    /// its handler fails with <see cref="Errno.ENOMEM"/>. Default 1,048,576.</summary>
    public int MaxQueuedCommands { get; init; } = 1 << 20;

    /// <summary>Bytes that such commands may take, with what is kept of each. Default 32 MiB.</summary>
    public int MaxQueuedBytes { get; init; } = 32 << 20;

    /// <summary>Descriptors that such commands may hold. Default 128.</summary>
    public int MaxQueuedFds { get; init; } = 128;
}
