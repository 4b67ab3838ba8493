using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>A part of a region where a guest write signals an eventfd instead of sending a message.</summary>
/// <param name="Offset">First byte, relative to the region.</param>
/// <param name="Size">Bytes of the sub-region; 0 if the size of an access does not matter.</param>
/// <param name="FdIndex">Which descriptor of the reply; may be shared by several entries.</param>
/// <param name="Type"><see cref="IoFdType.IoEventFd"/>.</param>
/// <param name="Flags">For KVM.</param>
/// <param name="Padding">Zero.</param>
/// <param name="Datamatch">Value that must be written, with <see cref="IoEventFdFlags.Datamatch"/>.</param>
/// <remarks>Spec: Sub-Region IO FD info format (ioeventfd).</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct IoEventFd(
    ulong Offset,
    ulong Size,
    uint FdIndex,
    IoFdType Type,
    IoEventFdFlags Flags,
    uint Padding,
    ulong Datamatch)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 40;
}
