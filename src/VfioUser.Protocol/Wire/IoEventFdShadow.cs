using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>An ioeventfd whose written values are also stored in shared memory, where the server finds the latest.</summary>
/// <param name="GpaOffset">First byte, relative to the region.</param>
/// <param name="Size">Bytes of the sub-region; 0 if the size of an access does not matter.</param>
/// <param name="FdIndex">Which descriptor of the reply; may be shared by several entries.</param>
/// <param name="Type"><see cref="IoFdType.IoEventFdShadow"/>, or <see cref="IoFdType.IoEventFd"/> from a libvfio-user server.</param>
/// <param name="Flags">For KVM.</param>
/// <param name="ShadowMemFdIndex">Which descriptor of the reply is the shared memory.</param>
/// <param name="ShadowOffset">First byte in that memory.</param>
/// <param name="Datamatch">Value that must be written, with <see cref="IoEventFdFlags.Datamatch"/>.</param>
/// <remarks>Not in the specification: <c>vfio_user_sub_region_ioeventfd</c> of libvfio-user, which it sends for plain
/// ioeventfds as well. The size of an entry follows from argsz and count.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct IoEventFdShadow(
    ulong GpaOffset,
    ulong Size,
    uint FdIndex,
    IoFdType Type,
    IoEventFdFlags Flags,
    uint ShadowMemFdIndex,
    ulong ShadowOffset,
    ulong Datamatch)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 48;
}
