using VfioUser.Network;

namespace VfioUser.Virtio;

/// <summary>What the feature bits say of offloads, and of one another.</summary>
internal static class NetFeatureRules
{
    private const NetFeatures NeedControlQueue = NetFeatures.ControlGuestOffloads | NetFeatures.ControlReceive | NetFeatures.ControlVlan
        | NetFeatures.ControlReceiveExtra | NetFeatures.GuestAnnounce | NetFeatures.MultiQueue | NetFeatures.ControlMac
        | NetFeatures.HashReport | NetFeatures.Rss;

    public static bool Has(this NetFeatures features, NetFeatures bit) => (features & bit) != 0;

    /// <summary>Whether each has those that it needs. VIRTIO 1.3 5.1.3.1.</summary>
    public static bool AreComplete(this NetFeatures features) =>
        (!features.Has(NeedControlQueue) || features.Has(NetFeatures.ControlQueue))
        && (!features.Has(NetFeatures.GuestTso4 | NetFeatures.GuestTso6) || features.Has(NetFeatures.GuestChecksum))
        && (!features.Has(NetFeatures.GuestEcn) || features.Has(NetFeatures.GuestTso4 | NetFeatures.GuestTso6))
        && (!features.Has(NetFeatures.HostTso4 | NetFeatures.HostTso6) || features.Has(NetFeatures.Checksum))
        && (!features.Has(NetFeatures.HostEcn) || features.Has(NetFeatures.HostTso4 | NetFeatures.HostTso6));

    /// <summary>What the driver may leave to the device.</summary>
    public static PortOffloads Sent(this NetFeatures features) =>
        OffloadsOf(features, NetFeatures.Checksum, NetFeatures.HostTso4, NetFeatures.HostTso6, NetFeatures.HostEcn);

    /// <summary>What the device may leave to the driver.</summary>
    public static PortOffloads Received(this NetFeatures features) =>
        OffloadsOf(features, NetFeatures.GuestChecksum, NetFeatures.GuestTso4, NetFeatures.GuestTso6, NetFeatures.GuestEcn);

    private static PortOffloads OffloadsOf(NetFeatures features, NetFeatures checksum, NetFeatures tso4, NetFeatures tso6, NetFeatures ecn) =>
        (features.Has(checksum) ? PortOffloads.Checksum : 0)
        | (features.Has(tso4) ? PortOffloads.TcpOverIPv4 : 0)
        | (features.Has(tso6) ? PortOffloads.TcpOverIPv6 : 0)
        | (features.Has(ecn) ? PortOffloads.TcpEcn : 0);
}
