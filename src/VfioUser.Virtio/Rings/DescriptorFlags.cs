namespace VfioUser.Virtio;

/// <summary>What a descriptor is.</summary>
/// <remarks>VIRTIO 1.3 2.7.5, 2.8.1.</remarks>
[Flags]
internal enum DescriptorFlags : ushort
{
    None = 0,
    Next = 1 << 0,
    Write = 1 << 1,
    Indirect = 1 << 2,

    /// <summary>Of a packed ring: compared with the wrap counter of whoever made it available.</summary>
    Available = 1 << 7,

    /// <summary>Of a packed ring: compared with the wrap counter of whoever used it.</summary>
    Used = 1 << 15,
}
