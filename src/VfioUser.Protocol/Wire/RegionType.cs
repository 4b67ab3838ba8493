using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Content of the type capability: says what a region beyond the standard ones is.</summary>
/// <param name="Type">VFIO_REGION_TYPE_ number; with bit 31 set the low 16 bits are a PCI vendor.</param>
/// <param name="Subtype">Number within the type.</param>
/// <remarks>Spec: Device-Specific Regions; <c>struct vfio_region_info_cap_type</c> of <c>linux/vfio.h</c>.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct RegionType(uint Type, uint Subtype)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 8;
}
