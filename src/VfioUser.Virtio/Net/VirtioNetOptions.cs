using System.Net.NetworkInformation;
using VfioUser.Network;

namespace VfioUser.Virtio;

/// <summary>How a <see cref="VirtioNet"/> is made. Immutable.</summary>
public sealed record VirtioNetOptions
{
    /// <summary>Its address: six bytes, of which the first is even. Null for one of its own, which is random.</summary>
    public PhysicalAddress? Address { get; init; }

    /// <summary>How many queues it has for each direction, 1 to 64; the driver decides how many it uses. With more than one, each
    /// transmit queue has a thread.</summary>
    public int QueuePairs { get; init; } = 1;

    /// <summary>Most entries of a queue: a power of two, 64 to 32768.</summary>
    public int QueueSize { get; init; } = 256;

    /// <summary>The MTU that the driver is to use, in bytes: 68 to 65535. Null for its own.</summary>
    public int? Mtu { get; init; }

    /// <summary>The speed that the guest shows, in Mb/s. Frames are not paced.</summary>
    public int Speed { get; init; } = 10_000;

    /// <summary>Checksums and segments that the guest may leave to the device, and the device to the guest.</summary>
    public PortOffloads Offloads { get; init; } = PortOffloads.All;

    /// <summary>Whether the driver may choose the packed layout of queues.</summary>
    public bool OffersPackedQueues { get; init; } = true;

    /// <summary>Whether the driver may say which queue a frame is received in, by a hash of its addresses and ports (RSS). With it Linux does;
    /// without it a flow is received where the guest has sent in it last. Takes several <see cref="QueuePairs"/>.</summary>
    public bool OffersRss { get; init; }

    /// <summary>Whether the driver may have the hash of each frame that it receives, in a header of 20 bytes in place of 12.</summary>
    public bool OffersHashReports { get; init; }

    /// <summary>How many bytes of frames wait for each receive queue while the guest has no room for them; what is more is lost.</summary>
    public int ReceiveBufferSize { get; init; } = 1 << 20;
}
