using System.Diagnostics.CodeAnalysis;

namespace VfioUser.Protocol;

/// <summary>Options for a <see cref="MessageChannel"/>. Immutable.</summary>
[Experimental(Experiments.Transport)]
public sealed record MessageChannelOptions
{
    /// <summary>Timeout for the reply to a command. Default 5 seconds.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Most commands in flight: another call waits until one of them is replied to or abandoned. From 1 to 256, the
    /// default.</summary>
    public int MaxConcurrentCalls
    {
        get;
        init => field = value is >= 1 and <= PendingCall.MaxConcurrent
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"The range is 1 to {PendingCall.MaxConcurrent}.");
    } = PendingCall.MaxConcurrent;

    /// <summary>Most commands queued while one is being handled. When exceeded, nothing is received until that is done, and a call
    /// in its handler fails with <see cref="Errno.ENOMEM"/>. Default 1,048,576.</summary>
    public int MaxQueuedCommands { get; init; } = 1 << 20;

    /// <summary>Most bytes of queued commands, including bookkeeping. Default 32 MiB.</summary>
    public int MaxQueuedBytes { get; init; } = 32 << 20;

    /// <summary>Most descriptors of queued commands. Default 128.</summary>
    public int MaxQueuedFds { get; init; } = 128;
}
