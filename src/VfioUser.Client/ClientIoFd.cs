using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>A sub-region that can be accessed through a descriptor, as the server describes it. Immutable.</summary>
/// <param name="Type">The kind; it decides which of the other fields have a meaning.</param>
/// <param name="Offset">First byte, relative to the region; within it.</param>
/// <param name="Size">In bytes; 0 if the width of an access does not matter.</param>
/// <param name="Fd">Its descriptor, owned by the list and shared by entries with the same index. Null if the server gave none.</param>
/// <param name="Flags">As received: <see cref="IoEventFdFlags"/>, or <see cref="IoRegionFdFlags"/>.</param>
/// <param name="Data">The value that signals it, with <see cref="IoEventFdFlags.Datamatch"/>; an ioregionfd's user data.</param>
/// <param name="ShadowFd">The shared memory that holds the value written last, owned by the list; null for none.</param>
/// <param name="ShadowOffset">First byte in that file.</param>
/// <remarks>Spec: "Sub-Region IO FD info format".</remarks>
public sealed record ClientIoFd(IoFdType Type, ulong Offset, ulong Size, SafeFileHandle? Fd, uint Flags, ulong Data,
    SafeFileHandle? ShadowFd, ulong ShadowOffset)
{
    /// <summary>Whether it is an eventfd, with or without shadow.</summary>
    public bool IsEventFd => Type is IoFdType.IoEventFd or IoFdType.IoEventFdShadow;

    /// <summary>The value that signals it; null for any value, and for an ioregionfd.</summary>
    public ulong? Datamatch => IsEventFd && ((IoEventFdFlags)Flags & IoEventFdFlags.Datamatch) != 0 ? Data : null;
}
