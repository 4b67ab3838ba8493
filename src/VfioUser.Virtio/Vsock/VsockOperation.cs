namespace VfioUser.Virtio;

/// <summary>What a packet is for.</summary>
/// <remarks>VIRTIO 1.3 5.10.6 "Device Operation".</remarks>
internal enum VsockOperation : ushort
{
    Invalid = 0,
    Request = 1,
    Response = 2,
    Reset = 3,
    Shutdown = 4,
    ReadWrite = 5,
    CreditUpdate = 6,
    CreditRequest = 7,
}
