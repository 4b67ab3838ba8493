namespace VfioUser;

/// <summary>Address translation services: whether the device may keep translations of addresses.</summary>
/// <remarks>Any thread. PCI Express 6.0 10.5.1.</remarks>
public sealed class AtsCapability : PciCapability
{
    internal const int Length = 8;

    // Offsets within the capability.
    private const int Capability = 4;
    private const int Control = 6;

    private const ushort PageAlignedRequest = 0x0020;
    private const ushort GlobalInvalidate = 0x0040;
    private const ushort Enable = 0x8000;
    private const ushort SmallestUnit = 0x001F;
    private const int PageShift = 12;

    private readonly ConfigSpace _config;

    internal AtsCapability(ConfigSpace config, int offset, int invalidateQueueDepth, bool globalInvalidate)
        : base(PciRegister.ExtendedAddressTranslationServices, offset, Length)
    {
        _config = config;
        // 5 bits: 32 is 0
        config.Define(offset + Capability, (ushort)((invalidateQueueDepth & 0x1F) | PageAlignedRequest | (globalInvalidate ? GlobalInvalidate : 0)));
        config.Define<ushort>(offset + Control, 0, writeMask: Enable | SmallestUnit);
    }

    /// <summary>Whether the guest lets the device keep translations.</summary>
    public bool IsEnabled => (_config.ReadByte(Offset + Control + 1) & (Enable >> 8)) != 0;

    /// <summary>The smallest range that has a translation of its own, in bytes: a power of two from 4096.</summary>
    public long SmallestTranslationUnit => 1L << (PageShift + (_config.ReadByte(Offset + Control) & SmallestUnit));
}
