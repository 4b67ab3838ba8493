namespace VfioUser.Virtio;

/// <summary>Feature bits of block devices.</summary>
/// <remarks>VIRTIO 1.3 5.2.3.</remarks>
[Flags]
internal enum BlockFeatures : ulong
{
    None = 0,
    SizeMax = 1 << 1,
    SegMax = 1 << 2,
    ReadOnly = 1 << 5,
    BlockSize = 1 << 6,
    Flush = 1 << 9,
    Topology = 1 << 10,
    ConfigWriteCache = 1 << 11,
    MultiQueue = 1 << 12,
    Discard = 1 << 13,
    WriteZeroes = 1 << 14,
    SecureErase = 1 << 16,
}
