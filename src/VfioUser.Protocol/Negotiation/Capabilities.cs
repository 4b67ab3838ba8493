namespace VfioUser.Protocol;

/// <summary>The capabilities object of a version message: what its sender can do, or what a server grants.</summary>
/// <remarks>
/// Immutable. Spec: VFIO_USER_VERSION. A key that is absent reads as the value that the specification gives for it, and
/// stays distinguishable: <see cref="Present"/> says which keys there are, and only those are written to the wire.
/// Assigning a property makes its key present. Every instance is valid: a value out of range is refused here, and in a
/// received message by <see cref="VersionMessage"/> before it gets here.
/// </remarks>
public sealed record Capabilities
{
    private readonly int? _maxMessageFds;
    private readonly long? _maxDataTransferSize;
    private readonly long? _maxDmaMaps;
    private readonly ulong? _pageSizes;
    private readonly bool? _writeMultiple;

    /// <summary>An empty capabilities object, and what a message without one means: all defaults, no key present.</summary>
    public static Capabilities Unspecified { get; } = new();

    /// <summary>
    /// What this library's server can do. Page sizes are all from 4 KiB up, since nothing in it depends on a larger one.
    /// Migration and the twin socket are left out: the device and a <see cref="TwinSocketPolicy"/> decide on them.
    /// </summary>
    public static Capabilities ServerDefaults { get; } = new()
    {
        MaxMessageFds = ProtocolLimits.MaxMessageFds,
        MaxDataTransferSize = ProtocolLimits.MaxDataTransferSize,
        MaxDmaMaps = ProtocolLimits.MaxDmaMaps,
        PageSizes = ~(ulong)(ProtocolLimits.PageSize - 1),
        WriteMultiple = true,
    };

    /// <summary>What this library's client proposes, to which <see cref="Negotiator.Propose"/> adds the twin socket.</summary>
    public static Capabilities ClientDefaults { get; } = ServerDefaults with { PageSizes = ProtocolLimits.PageSize };

    /// <summary>
    /// <c>max_msg_fds</c>: descriptors that the sender accepts with one message, 0 to <see cref="ProtocolLimits.MaxScmFds"/>.
    /// 1 if absent. A sender with 0 cannot be given mappable regions, eventfds or a twin socket.
    /// </summary>
    public int MaxMessageFds
    {
        get => _maxMessageFds ?? ProtocolLimits.DefaultMaxMessageFds;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, ProtocolLimits.MaxScmFds);
            _maxMessageFds = value;
        }
    }

    /// <summary><c>max_data_xfer_size</c>: bytes that the sender accepts in one read or write, at least 1. 1 MiB if absent.</summary>
    public long MaxDataTransferSize
    {
        get => _maxDataTransferSize ?? ProtocolLimits.MaxDataTransferSize;
        init
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            _maxDataTransferSize = value;
        }
    }

    /// <summary><c>max_dma_maps</c>: DMA regions that may be mapped at one time. 65535 if absent.</summary>
    public long MaxDmaMaps
    {
        get => _maxDmaMaps ?? ProtocolLimits.MaxDmaMaps;
        init
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _maxDmaMaps = value;
        }
    }

    /// <summary><c>pgsizes</c>: sizes in bytes, powers of two or'ed together, of which one at least. 4096 alone if absent.</summary>
    public ulong PageSizes
    {
        get => _pageSizes ?? ProtocolLimits.PageSize;
        init
        {
            ArgumentOutOfRangeException.ThrowIfZero(value);
            _pageSizes = value;
        }
    }

    /// <summary><c>write_multiple</c>: <see cref="Command.RegionWriteMulti"/> is supported. False if absent.</summary>
    public bool WriteMultiple
    {
        get => _writeMultiple ?? false;
        init => _writeMultiple = value;
    }

    /// <summary><c>twin_socket</c>, or null if absent, which means not supported.</summary>
    public TwinSocketCapability? TwinSocket { get; init; }

    /// <summary><c>migration</c>, or null if absent, which means not supported. No longer specified, but QEMU 11.1 sends it.</summary>
    public MigrationCapability? Migration { get; init; }

    /// <summary>The keys that this object has, as opposed to those that read as their defaults.</summary>
    public CapabilityKeys Present =>
        (_maxMessageFds is null ? CapabilityKeys.None : CapabilityKeys.MaxMessageFds)
        | (_maxDataTransferSize is null ? CapabilityKeys.None : CapabilityKeys.MaxDataTransferSize)
        | (_maxDmaMaps is null ? CapabilityKeys.None : CapabilityKeys.MaxDmaMaps)
        | (_pageSizes is null ? CapabilityKeys.None : CapabilityKeys.PageSizes)
        | (_writeMultiple is null ? CapabilityKeys.None : CapabilityKeys.WriteMultiple)
        | (TwinSocket is null ? CapabilityKeys.None : CapabilityKeys.TwinSocket)
        | (Migration is null ? CapabilityKeys.None : CapabilityKeys.Migration);
}
