using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Describes the bitmap of dirty pages that follows it, one bit a page, lowest address first.</summary>
/// <param name="PageSize">Bytes that one bit stands for; a power of two.</param>
/// <param name="Size">Bytes of the bitmap.</param>
/// <remarks>Not in the specification: <c>struct vfio_bitmap</c> of <c>linux/vfio.h</c>, which libvfio-user appends to an unmap.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct DirtyBitmap(ulong PageSize, ulong Size)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;
}
