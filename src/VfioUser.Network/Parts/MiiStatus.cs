namespace VfioUser.Network;

/// <summary>Bits of register 1 of a PHY. IEEE 802.3 22.2.4.2; <c>linux/mii.h</c>, BMSR.</summary>
[Flags]
internal enum MiiStatus : ushort
{
    ExtendedRegisters = 1 << 0,
    LinkUp = 1 << 2,
    CanAutoNegotiate = 1 << 3,
    AutoNegotiated = 1 << 5,
    PreambleSuppression = 1 << 6,
    ExtendedStatus = 1 << 8,
    Half10 = 1 << 11,
    Full10 = 1 << 12,
    Half100 = 1 << 13,
    Full100 = 1 << 14,
}
