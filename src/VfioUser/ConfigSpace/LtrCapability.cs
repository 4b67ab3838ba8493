namespace VfioUser;

/// <summary>Latency tolerance reporting: the latencies that the platform may take at most, as the guest knows them.</summary>
/// <remarks>Any thread. vfio-user has no message by which a device reports its own tolerance. PCI Express 6.0 7.8.2.</remarks>
public sealed class LtrCapability : PciCapability
{
    internal const int Length = 8;

    // Offsets within the capability.
    private const int MaxSnoop = 4;
    private const int MaxNoSnoop = 6;

    // 10 bits of value, 3 of scale
    private const ushort Writable = 0x1FFF;
    private const int ValueMask = 0x3FF;
    private const int ScaleShift = 10;
    private const int LargestScale = 5; // 6 and 7 are not permitted, but a guest can write them

    private readonly ConfigSpace _config;

    internal LtrCapability(ConfigSpace config, int offset)
        : base(PciRegister.ExtendedLatencyToleranceReporting, offset, Length)
    {
        _config = config;
        config.Define<ushort>(offset + MaxSnoop, 0, writeMask: Writable);
        config.Define<ushort>(offset + MaxNoSnoop, 0, writeMask: Writable);
    }

    /// <summary>The longest latency of requests that are snooped, in nanoseconds.</summary>
    public long MaxSnoopLatency => Nanoseconds(MaxSnoop);

    /// <summary>The longest latency of requests that are not snooped, in nanoseconds.</summary>
    public long MaxNoSnoopLatency => Nanoseconds(MaxNoSnoop);

    // each scale is 32 times the one before
    private long Nanoseconds(int register)
    {
        int latency = _config.Read<ushort>(Offset + register);
        return (long)(latency & ValueMask) << (5 * Math.Min((latency >> ScaleShift) & 7, LargestScale));
    }
}
