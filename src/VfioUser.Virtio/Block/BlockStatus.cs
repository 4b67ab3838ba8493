namespace VfioUser.Virtio;

/// <summary>How a request ended: the last byte that the device writes.</summary>
/// <remarks>VIRTIO 1.3 5.2.6.</remarks>
internal enum BlockStatus : byte
{
    Ok = 0,
    IoError = 1,
    Unsupported = 2,
}
