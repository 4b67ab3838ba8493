namespace VfioUser.Virtio;

/// <summary>What a hash is of. The number of a bit, and one, is what the header before a frame says.</summary>
/// <remarks>VIRTIO 1.3 5.1.6.4.3.1 "Supported/enabled hash types", 5.1.6.4.4 "Hash reporting for incoming packets".</remarks>
[Flags]
internal enum HashTypes : uint
{
    None = 0,
    IPv4 = 1 << 0,
    TcpIPv4 = 1 << 1,
    UdpIPv4 = 1 << 2,
    IPv6 = 1 << 3,
    TcpIPv6 = 1 << 4,
    UdpIPv6 = 1 << 5,

    /// <summary>Those without addresses in extension headers.</summary>
    Supported = (1 << 6) - 1,
}
