namespace E1000.Device;

/// <summary>Bits of RCTL.</summary>
[Flags]
internal enum ReceiveControl : uint
{
    Enable = 1 << 1,
    StoreBadPackets = 1 << 2,
    UnicastPromiscuous = 1 << 3,
    MulticastPromiscuous = 1 << 4,
    LongPackets = 1 << 5,
    LoopbackMac = 1 << 6,
    LoopbackPhy = 1 << 7,
    BroadcastAccept = 1 << 15,
    VlanFilter = 1 << 18,
    CanonicalFormFilter = 1 << 19,
    CanonicalForm = 1 << 20,
    DiscardPauseFrames = 1 << 22,
    PassControlFrames = 1 << 23,
    BufferSizeExtension = 1 << 25,
    StripCheckSequence = 1 << 26,
}
