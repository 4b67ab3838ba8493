namespace VfioUser.Nvme;

/// <summary>A disk, and how the guest sees it. Immutable.</summary>
/// <param name="Disk">The bytes.</param>
public sealed record NvmeNamespace(Disk Disk)
{
    /// <summary>Bytes in a logical block: 512 or 4096, and no less than <see cref="DiskHints.BlockSize"/>. Null for
    /// <see cref="NvmeControllerOptions.BlockSize"/>.</summary>
    public int? BlockSize { get; init; }

    /// <summary>Whether the controller refuses writes, even if the disk would take them.</summary>
    public bool IsReadOnly { get; init; }
}
