using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>One part of a region that the client may map.</summary>
/// <param name="Offset">First byte, relative to the region. The offset of the <see cref="RegionInfo"/> is added for <c>mmap</c>.</param>
/// <param name="Size">Bytes.</param>
/// <remarks>Spec: VFIO region info cap sparse mmap.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct SparseMmapArea(ulong Offset, ulong Size)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;
}
