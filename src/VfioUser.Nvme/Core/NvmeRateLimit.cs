namespace VfioUser.Nvme;

/// <summary>How much a guest may do on a namespace in a second. Immutable.</summary>
/// <remarks>A token bucket for commands and one for bytes; a command waits until both have enough. Commands that wait keep their place among
/// <see cref="NvmeControllerOptions.DiskCommands"/>, and take no thread. Reads and writes count alike. An abort, a reset and a migration
/// end the wait.</remarks>
public sealed record NvmeRateLimit
{
    /// <summary>The least rate of bytes, in bytes a second: a guest gives up on a command that takes longer than half a minute.</summary>
    public const long LeastBytes = 64 << 10;

    /// <summary>Commands a second, at least 1; null for no limit.</summary>
    public long? Commands { get; init; }

    /// <summary>Bytes a second that are read, written, compared, verified, copied or zeroed, at least <see cref="LeastBytes"/>; null for no
    /// limit. Deallocation has no bytes.</summary>
    public long? Bytes { get; init; }

    /// <summary>What has not been used is saved up for this long, and may be used at once; up to an hour. Less than some milliseconds makes
    /// the rate fall behind, for timers are no finer.</summary>
    public TimeSpan Burst { get; init; } = TimeSpan.FromMilliseconds(100);

    internal void Check()
    {
        if (Commands < 1)
            throw new ArgumentException($"A rate is at least one command a second, not {Commands}.");
        if (Bytes < LeastBytes)
            throw new ArgumentException($"A rate is at least {LeastBytes} bytes a second, not {Bytes}.");
        if (Burst < TimeSpan.Zero || Burst > TimeSpan.FromHours(1))
            throw new ArgumentException($"A burst is up to an hour, not {Burst}.");
    }
}
