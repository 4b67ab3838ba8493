using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>A sub-region that can be accessed through a descriptor, as the server describes it. Immutable.</summary>
/// <remarks>Spec: "Sub-Region IO FD info format".</remarks>
public sealed record ClientIoFd
{
    internal ClientIoFd(IoFdType type, ulong offset, ulong size, SafeFileHandle? fd, uint flags, ulong data)
    {
        (Type, Offset, Size, Fd, Flags, Data) = (type, offset, size, fd, flags, data);
    }

    /// <summary>The kind; it decides which of the other properties have a meaning.</summary>
    public IoFdType Type { get; }

    /// <summary>First byte, relative to the region; within it.</summary>
    public ulong Offset { get; }

    /// <summary>In bytes; 0 if the width of an access does not matter.</summary>
    public ulong Size { get; }

    /// <summary>Its descriptor, owned by the list and shared by entries with the same index. Null if the server gave none.</summary>
    public SafeFileHandle? Fd { get; }

    /// <summary>As received: <see cref="IoEventFdFlags"/>, or <see cref="IoRegionFdFlags"/>.</summary>
    public uint Flags { get; }

    /// <summary>The value that signals it, with <see cref="IoEventFdFlags.Datamatch"/>; an ioregionfd's user data.</summary>
    public ulong Data { get; }

    /// <summary>The shared memory that holds the value written last, owned by the list; null for none.</summary>
    public SafeFileHandle? ShadowFd { get; internal init; }

    /// <summary>First byte in that file.</summary>
    public ulong ShadowOffset { get; internal init; }

    /// <summary>Whether it is an eventfd, with or without shadow.</summary>
    public bool IsEventFd => Type is IoFdType.IoEventFd or IoFdType.IoEventFdShadow;

    /// <summary>The value that signals it; null for any value, and for an ioregionfd.</summary>
    public ulong? Datamatch => IsEventFd && ((IoEventFdFlags)Flags & IoEventFdFlags.Datamatch) != 0 ? Data : null;
}
