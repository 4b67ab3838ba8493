namespace VfioUser.Virtio;

/// <summary>Feature bits of a console.</summary>
/// <remarks>VIRTIO 1.3 5.3.3.</remarks>
[Flags]
internal enum ConsoleFeatures : ulong
{
    None = 0,
    Size = 1 << 0,
    MultiplePorts = 1 << 1,
    EmergencyWrite = 1 << 2,
}
