namespace VfioUser.Virtio;

/// <summary>What a side does not do any more.</summary>
/// <remarks>VIRTIO 1.3 5.10.6.</remarks>
[Flags]
internal enum VsockShutdown : uint
{
    None = 0,
    Receive = 1,
    Send = 2,
    Both = Receive | Send,
}
