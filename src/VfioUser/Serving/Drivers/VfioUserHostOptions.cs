using VfioUser.Protocol;

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

    /// <summary>How long a shared thread polls for the next command of any device before it sleeps, at most: it polls while the last
    /// waits were shorter than that. Default 100 µs; zero to sleep at once. Uses a whole processor meanwhile.</summary>
    /// <remarks>For devices with a thread of their own, <see cref="VfioUserServerOptions.Spin"/> applies.</remarks>
    public TimeSpan Spin { get; init; } = AdaptiveSpin.DefaultLimit;

    /// <summary>Whether a device is disposed when it is no longer served. Default true. Set it to false for devices that the caller
    /// disposes, or serves again.</summary>
    public bool DisposeDevices { get; init; } = true;

    /// <summary>Most commands of one device that a shared thread handles before it turns to the next; at least 1. Default 64.</summary>
    public int MaxCommandsPerTurn { get; init; } = 64;
}
