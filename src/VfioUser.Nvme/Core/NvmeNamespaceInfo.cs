namespace VfioUser.Nvme;

/// <summary>A namespace of a controller as it is now.</summary>
/// <param name="Id">Its number, from 1 on.</param>
/// <param name="IsAttached">Whether the driver sees it.</param>
/// <param name="BlockSize">Bytes in a logical block: 512 or 4096.</param>
/// <param name="Size">In bytes; a multiple of the block size.</param>
public readonly record struct NvmeNamespaceInfo(uint Id, bool IsAttached, int BlockSize, long Size);
