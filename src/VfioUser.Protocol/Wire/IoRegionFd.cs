using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>A part of a region where guest accesses become messages on a descriptor of their own.</summary>
/// <param name="Offset">First byte, relative to the region.</param>
/// <param name="Size">Bytes of the sub-region; 0 if the size of an access does not matter.</param>
/// <param name="FdIndex">Which descriptor of the reply; may be shared by several entries.</param>
/// <param name="Type"><see cref="IoFdType.IoRegionFd"/>.</param>
/// <param name="Flags">For KVM.</param>
/// <param name="Padding">Zero.</param>
/// <param name="UserData">Repeated in each message to the server on the descriptor.</param>
/// <remarks>Spec: Sub-Region IO FD info format (ioregionfd).</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct IoRegionFd(
    ulong Offset,
    ulong Size,
    uint FdIndex,
    IoFdType Type,
    IoRegionFdFlags Flags,
    uint Padding,
    ulong UserData)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 40;
}
