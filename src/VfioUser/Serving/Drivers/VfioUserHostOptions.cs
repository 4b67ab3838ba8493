namespace VfioUser;

/// <summary>Options for a host. Immutable.</summary>
public sealed record VfioUserHostOptions
{
    /// <summary>
    /// Number of threads that all devices share; 0, the default, for a thread per device.
    /// </summary>
    /// <remarks>
    /// With its own thread a device replies soonest and cannot delay others. Shared threads are for hundreds of devices
    /// with short handlers: one that blocks delays all devices of its thread. More threads than processors,
    /// <see cref="Environment.ProcessorCount"/>, gain nothing.
    /// </remarks>
    public int Threads { get; init; }

    /// <summary>Whether a device is disposed when it is no longer served. Default true. Set it to false for devices that the caller
    /// disposes, or serves again.</summary>
    public bool DisposeDevices { get; init; } = true;

    /// <summary>Most commands of one device that a shared thread handles before it turns to the next; at least 1. Default 64.</summary>
    public int MaxCommandsPerTurn { get; init; } = 64;
}
