namespace E1000.Device;

/// <summary>Bits of TCTL.</summary>
[Flags]
internal enum TransmitControl : uint
{
    Enable = 1 << 1,
    PadShortPackets = 1 << 3,
    SoftwareXoff = 1 << 22,
    RetransmitLateCollisions = 1 << 24,
}
