namespace VfioUser.Virtio;

/// <summary>What a control message is about.</summary>
/// <remarks>VIRTIO 1.3 5.3.6.2 "Multiport Device Operation".</remarks>
internal enum ConsoleEvent : ushort
{
    DeviceReady = 0,
    PortAdd = 1,
    PortRemove = 2,
    PortReady = 3,
    ConsolePort = 4,
    Resize = 5,
    PortOpen = 6,
    PortName = 7,
}
