using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Options for an ioeventfd. Immutable.</summary>
public sealed record IoEventFdOptions
{
    /// <summary>Width of the writes that signal it, in bytes: 1, 2, 4 or 8; 0 for any of them.</summary>
    public int Size { get; init; } = sizeof(uint);

    /// <summary>The value that signals it, little-endian; null for any value. Requires a <see cref="Size"/>.</summary>
    public ulong? Datamatch { get; init; }

    /// <summary>On whose thread the handler runs.</summary>
    public NotificationMode Mode { get; init; } = NotificationMode.Threaded;

    /// <summary>How long the thread polls before it sleeps; the longest of the device's ioeventfds applies.
    /// Uses a whole processor meanwhile, saves microseconds.</summary>
    public TimeSpan Spin { get; init; }

    /// <summary>
    /// Memory where the client also stores the value written, for the handler; borrowed, and to be open as long as the
    /// device. Null for none. Not in the specification: only clients that support libvfio-user's shadow ioeventfds use it.
    /// </summary>
    public SharedMemory? Shadow { get; init; }

    /// <summary>Offset of the value in <see cref="Shadow"/>, which takes 8 bytes; a multiple of 8.</summary>
    public long ShadowOffset { get; init; }
}
