namespace VfioUser.Virtio;

/// <summary>What a driver asks of a block device.</summary>
/// <remarks>VIRTIO 1.3 5.2.6.</remarks>
internal enum BlockRequestType : uint
{
    Read = 0,
    Write = 1,
    Flush = 4,
    GetId = 8,
    Discard = 11,
    WriteZeroes = 13,
    SecureErase = 14,
}
