namespace VfioUser.Protocol;

/// <summary>Attributes of a region.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_REGION_INFO.</remarks>
[Flags]
public enum RegionFlags : uint
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>VFIO_REGION_INFO_FLAG_READ: the client may read it.</summary>
    Read = 0x1,

    /// <summary>VFIO_REGION_INFO_FLAG_WRITE: the client may write it.</summary>
    Write = 0x2,

    /// <summary>VFIO_REGION_INFO_FLAG_MMAP: the client may map it, and a descriptor comes with the reply.</summary>
    Mmap = 0x4,

    /// <summary>VFIO_REGION_INFO_FLAG_CAPS: there are capabilities, in this reply if cap_offset is not zero.</summary>
    Caps = 0x8,
}
