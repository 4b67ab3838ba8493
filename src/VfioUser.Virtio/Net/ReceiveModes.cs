namespace VfioUser.Virtio;

/// <summary>Which frames the driver has asked for. The first six are numbered as their commands.</summary>
/// <remarks>VIRTIO 1.3 5.1.6.5.1 "Packet Receive Filtering".</remarks>
[Flags]
internal enum ReceiveModes : ushort
{
    None = 0,
    Promiscuous = 1 << 0,
    AllMulticast = 1 << 1,
    AllUnicast = 1 << 2,
    NoMulticast = 1 << 3,
    NoUnicast = 1 << 4,
    NoBroadcast = 1 << 5,

    /// <summary>The driver has more addresses than are kept.</summary>
    UnicastOverflow = 1 << 6,
    MulticastOverflow = 1 << 7,

    /// <summary>Tagged frames are for the VLANs that the driver has named.</summary>
    FiltersVlans = 1 << 8,

    All = (1 << 9) - 1,
}
