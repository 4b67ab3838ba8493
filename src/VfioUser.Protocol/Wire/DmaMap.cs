using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Payload of the command that maps a DMA region; its reply has none.</summary>
/// <param name="Argsz">Bytes of this structure: there is no reply payload to bound.</param>
/// <param name="Flags">Access rights, and how the descriptor is to be used.</param>
/// <param name="Offset">First byte of the region in the file of the descriptor; 0 without a descriptor.</param>
/// <param name="Address">First byte of the region; an IOVA.</param>
/// <param name="Size">Bytes.</param>
/// <remarks>Spec: VFIO_USER_DMA_MAP. Zero or one descriptor comes with it.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct DmaMap(uint Argsz, DmaMapFlags Flags, ulong Offset, ulong Address, ulong Size)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 32;
}
