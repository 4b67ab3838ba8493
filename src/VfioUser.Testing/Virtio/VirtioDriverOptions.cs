namespace VfioUser.Testing;

/// <summary>How a test's virtio driver sets a device up. Immutable.</summary>
public sealed record VirtioDriverOptions
{
    /// <summary>Features that it accepts of those that are offered; all by default. Without bit 34 the rings are split.</summary>
    public ulong Features { get; init; } = ulong.MaxValue;

    /// <summary>Most entries of a queue; the device may have fewer.</summary>
    public int QueueSize { get; init; } = 256;

    /// <summary>How many queues it sets up, from the first; null for all.</summary>
    public int? Queues { get; init; }

    /// <summary>Whether buffers of more than one part go into indirect tables, where the device can.</summary>
    public bool Indirect { get; init; }
}
