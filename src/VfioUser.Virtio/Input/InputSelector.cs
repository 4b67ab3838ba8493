namespace VfioUser.Virtio;

/// <summary>What the driver asks the configuration structure for.</summary>
/// <remarks>VIRTIO 1.3 5.8.4 "Device configuration layout".</remarks>
internal enum InputSelector : byte
{
    None = 0x00,
    Name = 0x01,
    Serial = 0x02,
    Ids = 0x03,
    Properties = 0x10,
    Events = 0x11,
    Axis = 0x12,
}
