using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>A span of a region that can be reached by descriptor, as the server says. Immutable.</summary>
/// <param name="Type">Which kind it is, and so which of the other fields mean something.</param>
/// <param name="Offset">First byte, relative to the region; within it.</param>
/// <param name="Size">In bytes; 0 if the width of an access does not matter.</param>
/// <param name="Fd">Its descriptor, owned by the list and shared by entries that name the same one. Null if the server named none.</param>
/// <param name="Flags">As they came: <see cref="IoEventFdFlags"/>, or <see cref="IoRegionFdFlags"/>.</param>
/// <param name="Data">The value that rings, with <see cref="IoEventFdFlags.Datamatch"/>; an ioregionfd's user data.</param>
/// <param name="ShadowFd">The file in which the value written is left, owned by the list; null for none.</param>
/// <param name="ShadowOffset">First byte in that file.</param>
/// <remarks>Spec: "Sub-Region IO FD info format".</remarks>
public sealed record ClientIoFd(IoFdType Type, ulong Offset, ulong Size, SafeFileHandle? Fd, uint Flags, ulong Data,
    SafeFileHandle? ShadowFd, ulong ShadowOffset)
{
    /// <summary>Whether it is an eventfd, with a shadow or without.</summary>
    public bool IsEventFd => Type is IoFdType.IoEventFd or IoFdType.IoEventFdShadow;

    /// <summary>The value that rings; null for all, and for what is no eventfd.</summary>
    public ulong? Datamatch => IsEventFd && ((IoEventFdFlags)Flags & IoEventFdFlags.Datamatch) != 0 ? Data : null;
}
