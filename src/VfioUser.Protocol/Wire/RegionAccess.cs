using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>First part of the payload of REGION_READ and REGION_WRITE, in command and reply.</summary>
/// <param name="Offset">First byte, relative to the region.</param>
/// <param name="Region">Index of the region.</param>
/// <param name="Count">Bytes, despite the name. Follow this structure in the reply to a read and in the command of a write.</param>
/// <remarks>Spec: VFIO_USER_REGION_READ, VFIO_USER_REGION_WRITE.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct RegionAccess(ulong Offset, uint Region, uint Count)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;
}
