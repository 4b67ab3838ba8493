namespace VfioUser.Network;

/// <summary>What a frame is to be cut into.</summary>
public enum FrameSegmentation
{
    /// <summary>It is one frame.</summary>
    None,

    /// <summary>TCP segments over IPv4.</summary>
    TcpOverIPv4,

    /// <summary>TCP segments over IPv6.</summary>
    TcpOverIPv6,
}
