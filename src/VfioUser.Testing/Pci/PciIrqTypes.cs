namespace VfioUser.Testing;

/// <summary>Interrupts that a driver can live with.</summary>
[Flags]
public enum PciIrqTypes
{
    /// <summary>None: it polls.</summary>
    None = 0,

    /// <summary>The interrupt pin.</summary>
    Intx = 1,

    /// <summary>Message signalled interrupts.</summary>
    Msi = 2,

    /// <summary>Extended message signalled interrupts.</summary>
    MsiX = 4,

    /// <summary>Whatever there is, the best first: MSI-X, MSI, the pin.</summary>
    All = Intx | Msi | MsiX,
}
