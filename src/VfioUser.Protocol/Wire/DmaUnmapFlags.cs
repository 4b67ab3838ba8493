namespace VfioUser.Protocol;

/// <summary>Variants of an unmap, from <c>linux/vfio.h</c>; the specification calls the field unused.</summary>
/// <remarks>Spec: VFIO_USER_DMA_UNMAP.</remarks>
[Flags]
public enum DmaUnmapFlags : uint
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP: a <see cref="DirtyBitmap"/> follows in command and reply.</summary>
    GetDirtyBitmap = 0x1,

    /// <summary>VFIO_DMA_UNMAP_FLAG_ALL: every region at once; address and size must be 0.</summary>
    All = 0x2,
}
