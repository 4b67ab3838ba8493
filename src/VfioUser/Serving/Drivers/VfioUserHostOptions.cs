namespace VfioUser;

/// <summary>How a host divides its threads among devices. Immutable.</summary>
public sealed record VfioUserHostOptions
{
    /// <summary>
    /// Threads that all devices share; from 1, or 0, the default, for a thread of its own for each device.
    /// </summary>
    /// <remarks>
    /// With a thread of its own a device answers soonest and holds up nobody. Shared threads are for hundreds of devices
    /// whose handlers come back at once: one that blocks holds up those of its thread. As many as there are processors,
    /// <see cref="Environment.ProcessorCount"/>, or fewer, serve all that those can.
    /// </remarks>
    public int Threads { get; init; }

    /// <summary>Whether a device is disposed when it is removed, or served no more for another reason. By default it is: it was
    /// handed over. False for devices that are somebody else's, or are to be served again.</summary>
    public bool DisposeDevices { get; init; } = true;

    /// <summary>Commands of one device that a shared thread handles before it looks at the next; from 1. Default 64.</summary>
    public int MaxCommandsPerTurn { get; init; } = 64;
}
