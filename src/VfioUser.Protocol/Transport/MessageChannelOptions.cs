namespace VfioUser.Protocol;

/// <summary>Limits of a <see cref="MessageChannel"/>. Immutable.</summary>
public sealed record MessageChannelOptions
{
    /// <summary>How long a command that was sent may stay unanswered. Default 5 seconds.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Commands that may queue up while one is being handled, before the peer is cut off. Default 4096.</summary>
    public int MaxQueuedCommands { get; init; } = 4096;

    /// <summary>Bytes that such commands may take. Default 8 MiB.</summary>
    public int MaxQueuedBytes { get; init; } = 8 << 20;

    /// <summary>Descriptors that such commands may hold. Default 128.</summary>
    public int MaxQueuedFds { get; init; } = 128;
}
