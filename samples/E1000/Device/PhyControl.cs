namespace E1000.Device;

/// <summary>Bits of the PHY's register 0. IEEE 802.3 22.2.4.1.</summary>
[Flags]
internal enum PhyControl : ushort
{
    Speed1000 = 1 << 6,
    CollisionTest = 1 << 7,
    FullDuplex = 1 << 8,
    RestartAutoNegotiation = 1 << 9,
    Isolate = 1 << 10,
    PowerDown = 1 << 11,
    AutoNegotiation = 1 << 12,
    Speed100 = 1 << 13,
    Loopback = 1 << 14,
    Reset = 1 << 15,
}
