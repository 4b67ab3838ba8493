namespace VfioUser.Nvme;

/// <summary>Features that drivers can set. NVMe 1.4 5.21.1. A reset restores the defaults.</summary>
/// <remarks>Any thread reads; the admin thread sets.</remarks>
internal sealed class Features
{
    /// <summary>The temperature that the disk reports, in kelvins.</summary>
    public const ushort Temperature = 308;
    private const ushort DefaultThreshold = 343;
    private const uint WarningBits = 0x1F;
    private const uint NamespaceNotices = 1 << 8;
    private const uint AnaNotices = 1 << 11;

    private readonly uint[] _values = new uint[(int)FeatureId.AsyncEventConfiguration + 1];
    private readonly bool[] _uncoalesced = new bool[NvmeControllerOptions.MaxIoQueues + 1];
    private ulong _timestamp;
    private long _timestampSetAt;
    private bool _timestampSet;

    public Features() => Reset();

    /// <summary>Most commands to fetch from one queue before the next one is served.</summary>
    public int ArbitrationBurst
    {
        get
        {
            int exponent = (int)(this[FeatureId.Arbitration] & 7);
            return exponent == 7 ? int.MaxValue : 1 << exponent;
        }
    }

    public bool WriteCacheEnabled => (this[FeatureId.VolatileWriteCache] & 1) != 0;

    /// <summary>Whether the temperature is outside the driver's thresholds.</summary>
    public bool IsTemperatureOut => Temperature >= (this[FeatureId.TemperatureThreshold] & 0xFFFF) || Temperature <= UnderThreshold;

    /// <summary>Whether the driver has enabled an event for that.</summary>
    public bool ReportsTemperature => (this[FeatureId.AsyncEventConfiguration] & 2) != 0;

    /// <summary>Whether the driver has enabled an event for a disk that has lost writes.</summary>
    public bool ReportsReliability => (this[FeatureId.AsyncEventConfiguration] & 4) != 0;

    /// <summary>Whether the driver has enabled an event for a namespace that has changed.</summary>
    public bool ReportsNamespaces => (this[FeatureId.AsyncEventConfiguration] & NamespaceNotices) != 0;

    /// <summary>Whether the driver has enabled an event for a path whose state has changed.</summary>
    public bool ReportsAna => (this[FeatureId.AsyncEventConfiguration] & AnaNotices) != 0;

    /// <summary>The lower threshold, in kelvins.</summary>
    public ushort UnderThreshold { get; set; }

    /// <summary>Whether the driver understands when a completion says how long to wait before another attempt; none does. ACRE.</summary>
    public bool RetriesAsTold { get; set; }

    /// <summary>The values, to be saved.</summary>
    public ReadOnlySpan<uint> Values => _values;

    public uint this[FeatureId id]
    {
        get => Volatile.Read(ref _values[(int)id]);
        set => Volatile.Write(ref _values[(int)id], value);
    }

    public static bool IsPlain(FeatureId id) => id is FeatureId.Arbitration or FeatureId.PowerManagement
        or FeatureId.ErrorRecovery or FeatureId.VolatileWriteCache or FeatureId.InterruptCoalescing or FeatureId.WriteAtomicity
        or FeatureId.AsyncEventConfiguration;

    public static uint Default(FeatureId id) => id switch
    {
        FeatureId.Arbitration => 7, // no limit
        FeatureId.TemperatureThreshold => DefaultThreshold,
        FeatureId.VolatileWriteCache => 1,
        _ => 0,
    };

    /// <summary>The defined bits of a value.</summary>
    public static uint MaskOf(FeatureId id) => id switch
    {
        FeatureId.Arbitration => 0xFFFF_FF07,
        FeatureId.PowerManagement => 0xFF,
        FeatureId.TemperatureThreshold => 0xFFFF,
        FeatureId.ErrorRecovery => 0xFFFF,
        FeatureId.InterruptCoalescing => 0xFFFF,
        FeatureId.AsyncEventConfiguration => WarningBits | NamespaceNotices | AnaNotices,
        _ => 1,
    };

    /// <summary>Whether the driver has disabled coalescing for a vector. The controller never coalesces.</summary>
    public bool IsCoalescingDisabled(int vector) => _uncoalesced[vector];

    /// <summary>The same for all vectors, to be saved.</summary>
    public ReadOnlySpan<bool> CoalescingDisabled => _uncoalesced;

    public void SetCoalescingDisabled(int vector, bool disabled) => _uncoalesced[vector] = disabled;

    /// <summary>Milliseconds since 1970 or since the reset in bits 47:0, and their origin in bits 51:49. NVMe 1.4 figure 303.</summary>
    public ulong Timestamp
    {
        get
        {
            ulong now = _timestamp + (ulong)(Environment.TickCount64 - _timestampSetAt);
            return (now & 0xFFFF_FFFF_FFFF) | (_timestampSet ? 1ul << 49 : 0);
        }
        set => (_timestamp, _timestampSetAt, _timestampSet) = (value & 0xFFFF_FFFF_FFFF, Environment.TickCount64, true);
    }

    public void Restore(ReadOnlySpan<uint> values) => values.CopyTo(_values);

    public void Reset()
    {
        for (int id = 0; id < _values.Length; id++)
            _values[id] = Default((FeatureId)id);
        Array.Clear(_uncoalesced);
        UnderThreshold = 0;
        RetriesAsTold = false;
        (_timestamp, _timestampSetAt, _timestampSet) = (0, Environment.TickCount64, false);
    }
}
