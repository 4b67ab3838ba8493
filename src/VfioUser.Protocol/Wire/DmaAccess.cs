using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>First part of the payload of DMA_READ and DMA_WRITE, in command and reply.</summary>
/// <param name="Address">First byte of guest memory; an IOVA.</param>
/// <param name="Count">Bytes. Follow this structure in the reply to a read and in the command of a write.</param>
/// <remarks>Spec: VFIO_USER_DMA_READ, VFIO_USER_DMA_WRITE. The table of the reply to a write gives count four bytes;
/// QEMU and libvfio-user send all eight.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct DmaAccess(ulong Address, ulong Count)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;
}
