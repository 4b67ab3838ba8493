namespace VfioUser.Virtio;

/// <summary>Feature bits of a network device.</summary>
/// <remarks>VIRTIO 1.3 5.1.3 "Feature bits".</remarks>
[Flags]
internal enum NetFeatures : ulong
{
    None = 0,
    Checksum = 1ul << 0,
    GuestChecksum = 1ul << 1,
    ControlGuestOffloads = 1ul << 2,
    Mtu = 1ul << 3,
    Mac = 1ul << 5,
    GuestTso4 = 1ul << 7,
    GuestTso6 = 1ul << 8,
    GuestEcn = 1ul << 9,
    HostTso4 = 1ul << 11,
    HostTso6 = 1ul << 12,
    HostEcn = 1ul << 13,
    MergeableBuffers = 1ul << 15,
    Status = 1ul << 16,
    ControlQueue = 1ul << 17,
    ControlReceive = 1ul << 18,
    ControlVlan = 1ul << 19,
    ControlReceiveExtra = 1ul << 20,
    GuestAnnounce = 1ul << 21,
    MultiQueue = 1ul << 22,
    ControlMac = 1ul << 23,
    HashReport = 1ul << 57,
    Rss = 1ul << 60,
    SpeedDuplex = 1ul << 63,
}
