namespace VfioUser.Testing;

/// <summary>Bits of the Command register. PCI 3.0 6.2.2.</summary>
[Flags]
public enum PciCommands
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>I/O Space: BARs in I/O space are enabled.</summary>
    IoSpace = 1 << 0,

    /// <summary>Memory Space: BARs in memory space are enabled.</summary>
    MemorySpace = 1 << 1,

    /// <summary>Bus Master: DMA, MSI and MSI-X are enabled.</summary>
    BusMaster = 1 << 2,

    /// <summary>Interrupt Disable: INTx is disabled.</summary>
    InterruptDisable = 1 << 10,
}
