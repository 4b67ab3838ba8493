namespace VfioUser.Protocol;

/// <summary>The limits of a negotiated session, seen from one side.</summary>
/// <remarks>
/// Immutable. Spec: VFIO_USER_VERSION, Read and Write Operations. The first four come from limits of each side's own,
/// so they may differ by direction; the others hold only as far as both sides agree.
/// </remarks>
public sealed record SessionLimits
{
    internal SessionLimits()
    {
    }

    /// <summary>Descriptors that may go with one message to the peer; 0 is possible.</summary>
    public int MaxFdsToSend { get; internal init; }

    /// <summary>Descriptors that may come with one message from the peer.</summary>
    public int MaxFdsToReceive { get; internal init; }

    /// <summary>Bytes in one read or write that we ask of the peer; longer transfers are split.</summary>
    public int MaxTransferToSend { get; internal init; }

    /// <summary>Bytes in one read or write that the peer asks of us; more is EINVAL.</summary>
    public int MaxTransferToReceive { get; internal init; }

    /// <summary>DMA regions mapped at one time.</summary>
    public long MaxDmaMaps { get; internal init; }

    /// <summary>True if <see cref="Command.RegionWriteMulti"/> may be sent.</summary>
    public bool WriteMultiple { get; internal init; }

    /// <summary>Bytes of a bitmap of dirty pages in one reply: the smaller of both sides' <c>migration.max_bitmap_size</c>, where an
    /// absent one counts as 1 MiB.</summary>
    public int MaxBitmapSize { get; internal init; } = ProtocolLimits.MaxDataTransferSize;

    /// <summary>Computes the limits from the capabilities of both sides, as sent in proposal and reply.</summary>
    /// <param name="own">What this side sent.</param>
    /// <param name="peer">What the other side sent.</param>
    public static SessionLimits Between(Capabilities own, Capabilities peer)
    {
        ArgumentNullException.ThrowIfNull(own);
        ArgumentNullException.ThrowIfNull(peer);
        return new SessionLimits
        {
            MaxFdsToSend = Math.Min(peer.MaxMessageFds, ProtocolLimits.MaxMessageFds),
            MaxFdsToReceive = Math.Min(own.MaxMessageFds, ProtocolLimits.MaxMessageFds),
            MaxTransferToSend = (int)Math.Min(peer.MaxDataTransferSize, ProtocolLimits.MaxDataTransferSize),
            MaxTransferToReceive = (int)Math.Min(own.MaxDataTransferSize, ProtocolLimits.MaxDataTransferSize),
            MaxDmaMaps = Math.Min(own.MaxDmaMaps, peer.MaxDmaMaps),
            WriteMultiple = own.WriteMultiple && peer.WriteMultiple,
            MaxBitmapSize = (int)Math.Min(BitmapOf(own), BitmapOf(peer)),
        };
    }

    private static ulong BitmapOf(Capabilities capabilities) =>
        Math.Min(capabilities.Migration?.MaxBitmapSize ?? ProtocolLimits.MaxDataTransferSize, ProtocolLimits.MaxBitmapSize);
}
