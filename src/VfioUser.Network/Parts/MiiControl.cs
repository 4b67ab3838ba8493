namespace VfioUser.Network;

/// <summary>Bits of register 0 of a PHY. IEEE 802.3 22.2.4.1; <c>linux/mii.h</c>, BMCR.</summary>
[Flags]
public enum MiiControl : ushort
{
    /// <summary>No bit: 10 Mb/s, half duplex.</summary>
    None = 0,

    /// <summary>1000 Mb/s, without auto-negotiation.</summary>
    Speed1000 = 1 << 6,

    /// <summary>The collision signal is tested.</summary>
    CollisionTest = 1 << 7,

    /// <summary>Full duplex, without auto-negotiation.</summary>
    FullDuplex = 1 << 8,

    /// <summary>Auto-negotiation begins again; reads as zero.</summary>
    RestartAutoNegotiation = 1 << 9,

    /// <summary>The PHY passes no frames, and still has its registers.</summary>
    Isolate = 1 << 10,

    /// <summary>The PHY has no link, and still has its registers.</summary>
    PowerDown = 1 << 11,

    /// <summary>Auto-negotiation chooses speed and duplex.</summary>
    AutoNegotiation = 1 << 12,

    /// <summary>100 Mb/s, without auto-negotiation.</summary>
    Speed100 = 1 << 13,

    /// <summary>What is sent comes back.</summary>
    Loopback = 1 << 14,

    /// <summary>The registers are reset; reads as zero.</summary>
    Reset = 1 << 15,
}
