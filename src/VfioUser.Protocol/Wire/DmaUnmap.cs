using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Payload of the command that unmaps a DMA region, and of its reply.</summary>
/// <param name="Argsz">Command: the largest reply payload in bytes. Reply: the bytes needed for all of it.</param>
/// <param name="Flags">Zero in today's specification.</param>
/// <param name="Address">First byte of a mapped region, exactly; an IOVA.</param>
/// <param name="Size">Bytes of that region, exactly.</param>
/// <remarks>Spec: VFIO_USER_DMA_UNMAP.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct DmaUnmap(uint Argsz, DmaUnmapFlags Flags, ulong Address, ulong Size)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 24;
}
