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

    /// <summary>Whether the handler has a thread of its own, so that it does not wait for the handlers of the device's other ioeventfds.</summary>
    /// <remarks>With <see cref="NotificationMode.Threaded"/>. A thread that exists from the client's request until it disconnects.</remarks>
    public bool OwnThread { get; init; }

    /// <summary>The device's own eventfd, to wait for it elsewhere: in an epoll set, in io_uring, or in another process. Null for one that
    /// the library makes for each client.</summary>
    /// <remarks>Borrowed, and to be open as long as the device. With <see cref="NotificationMode.Polling"/> writes by message signal it, too;
    /// then call <see cref="RegionIoEventFd.Poll"/>, or read it yourself in place of that. All clients get the same one: one that has
    /// disconnected can still signal it, or make a write to it block. So use it with clients that you trust.</remarks>
    public EventFd? EventFd { get; init; }

    /// <summary>How long the thread polls before it sleeps, at most; the longest of the device's ioeventfds applies. It polls while the
    /// last signals came sooner than that. Default 100 µs; zero to sleep at once. Uses a whole processor meanwhile.</summary>
    public TimeSpan Spin { get; init; } = AdaptiveSpin.DefaultLimit;

    /// <summary>
    /// Memory where the client also stores the value written, for the handler; borrowed, and to be open as long as the
    /// device. Null for none. Not in the specification: only clients that support libvfio-user's shadow ioeventfds use it.
    /// </summary>
    public SharedMemory? Shadow { get; init; }

    /// <summary>Offset of the value in <see cref="Shadow"/>, which takes 8 bytes; a multiple of 8.</summary>
    public long ShadowOffset { get; init; }
}
