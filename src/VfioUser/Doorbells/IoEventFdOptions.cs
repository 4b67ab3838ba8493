using VfioUser.Protocol;

namespace VfioUser;

/// <summary>What there is to say about an ioeventfd. Immutable.</summary>
public sealed record IoEventFdOptions
{
    /// <summary>Width of the writes that ring, in bytes: 1, 2, 4 or 8; 0 for any of them.</summary>
    public int Size { get; init; } = sizeof(uint);

    /// <summary>The value that rings, little-endian; others do not. Null for all. Needs a <see cref="Size"/>.</summary>
    public ulong? Datamatch { get; init; }

    /// <summary>On whose thread the handler runs.</summary>
    public NotificationMode Mode { get; init; } = NotificationMode.Threaded;

    /// <summary>How long the waiting thread looks for more before it sleeps; the longest of the device's ioeventfds counts.
    /// Costs a core while it lasts, saves microseconds.</summary>
    public TimeSpan Spin { get; init; }

    /// <summary>
    /// Where the client also leaves the value written, so that the handler finds it; borrowed, and open for as long as the
    /// device lives. Null for none. Not in the specification: only clients that know libvfio-user's shadow ioeventfds use it.
    /// </summary>
    public SharedMemory? Shadow { get; init; }

    /// <summary>First byte of the value in <see cref="Shadow"/>; a multiple of 8, with 8 bytes behind it.</summary>
    public ulong ShadowOffset { get; init; }
}
