using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Content of the sparse mmap capability; the areas follow, each a <see cref="SparseMmapArea"/>.</summary>
/// <param name="AreaCount">nr_areas: number of areas that follow.</param>
/// <param name="Reserved">Zero.</param>
/// <remarks>Spec: VFIO region info cap sparse mmap.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct SparseMmap(uint AreaCount, uint Reserved)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 8;
}
