using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Begins each region capability; its content follows.</summary>
/// <param name="Id">Which capability.</param>
/// <param name="Version">Version of that capability's content.</param>
/// <param name="Next">The next capability, in bytes from the start of the <see cref="RegionInfo"/>; 0 in the last.</param>
/// <remarks>Spec: VFIO cap header format.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct RegionCapHeader(RegionCapId Id, ushort Version, uint Next)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 8;
}
