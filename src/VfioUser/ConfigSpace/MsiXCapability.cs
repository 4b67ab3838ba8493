namespace VfioUser;

/// <summary>MSI-X: up to 2048 vectors, each with an address, data and a mask in a table that a BAR holds.</summary>
/// <remarks>Any thread. PCI 3.0 6.8.2.</remarks>
public sealed class MsiXCapability : PciCapability
{
    internal const int Length = 12;
    internal const int MaxVectors = 2048;

    // Offsets within the capability.
    private const int MessageControl = 2;
    private const int Table = 4;
    private const int Pba = 8;

    private const ushort Enable = 0x8000;
    private const ushort FunctionMask = 0x4000;

    private readonly ConfigSpace _config;

    internal MsiXCapability(ConfigSpace config, int offset, int vectors, uint table, uint pba)
        : base(PciRegister.CapabilityMsiX, offset, Length)
    {
        _config = config;
        Vectors = vectors;

        config.Define(offset + MessageControl, (ushort)(vectors - 1), writeMask: (ushort)(Enable | FunctionMask));
        config.Define(offset + Table, table);
        config.Define(offset + Pba, pba);

        // The upper byte holds both bits, and some versions of QEMU write only that byte.
        config.Watch(offset + MessageControl + 1, 1, (_, _) => Written?.Invoke());
    }

    /// <summary>Entries of the table, 1 to 2048.</summary>
    public int Vectors { get; }

    /// <summary>Whether the guest has enabled MSI-X. Then the device asserts no INTx.</summary>
    public bool IsEnabled => (ControlHigh & (Enable >> 8)) != 0;

    /// <summary>Whether the guest has masked all vectors at once.</summary>
    public bool IsFunctionMasked => (ControlHigh & (FunctionMask >> 8)) != 0;

    /// <summary>Called on the Command thread when a guest has written to these two bits, changed or not.</summary>
    internal Action? Written { get; set; }

    private byte ControlHigh => _config.ReadByte(Offset + MessageControl + 1);

    /// <summary>Bytes of a table.</summary>
    internal static long TableSize(int vectors) => vectors * 16;

    /// <summary>Bytes of a pending bit array, in whole qwords.</summary>
    internal static long PbaSize(int vectors) => (vectors + 63) / 64 * 8;
}
