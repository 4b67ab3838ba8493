namespace VfioUser.Network;

/// <summary>Work that a port can do for the sender of a frame, or pass on to somebody who can.</summary>
[Flags]
public enum PortOffloads
{
    /// <summary>None: frames are as on a cable.</summary>
    None = 0,

    /// <summary>The checksum of a transport header.</summary>
    Checksum = 1 << 0,

    /// <summary>Cutting TCP over IPv4 into segments.</summary>
    TcpOverIPv4 = 1 << 1,

    /// <summary>Cutting TCP over IPv6 into segments.</summary>
    TcpOverIPv6 = 1 << 2,

    /// <summary>The same for TCP with explicit congestion notification, of which only the first segment has CWR.</summary>
    TcpEcn = 1 << 3,

    /// <summary>All of them.</summary>
    All = Checksum | TcpOverIPv4 | TcpOverIPv6 | TcpEcn,
}
