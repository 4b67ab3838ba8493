namespace VfioUser.Protocol;

/// <summary>Access rights of the server to a DMA region, and how it uses the descriptor.</summary>
/// <remarks>Spec: VFIO_USER_DMA_MAP. With neither access bit the region is mapped but must not be accessed.</remarks>
[Flags]
public enum DmaMapFlags : uint
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>The server may read from the region.</summary>
    Readable = 0x1,

    /// <summary>The server may write to the region.</summary>
    Writeable = 0x2,

    /// <summary>The descriptor is meant for <c>mmap</c>. From libvfio-user; the specification has no such bit.</summary>
    Mmap = 0x4,

    /// <summary>The descriptor is meant for <c>pread</c> and <c>pwrite</c>. From libvfio-user; the specification has no such bit.</summary>
    FileIo = 0x8,
}
