namespace VfioUser.Testing;

/// <summary>Interrupt types that a driver supports.</summary>
[Flags]
public enum PciIrqTypes
{
    /// <summary>None: it polls.</summary>
    None = 0,

    /// <summary>INTx.</summary>
    Intx = 1,

    /// <summary>Message signalled interrupts.</summary>
    Msi = 2,

    /// <summary>Extended message signalled interrupts.</summary>
    MsiX = 4,

    /// <summary>All of them, the best first: MSI-X, MSI, INTx.</summary>
    All = Intx | Msi | MsiX,
}
