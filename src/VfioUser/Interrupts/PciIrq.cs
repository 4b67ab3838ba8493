namespace VfioUser;

/// <summary>Indices of a PCI device's interrupt types. Source: <c>linux/vfio.h</c>, VFIO_PCI_*_IRQ_INDEX.</summary>
public enum PciIrq
{
    /// <summary>The interrupt pin: one vector, level.</summary>
    Intx = 0,

    /// <summary>Message signalled interrupts, up to 32.</summary>
    Msi = 1,

    /// <summary>Extended message signalled interrupts, up to 2048.</summary>
    MsiX = 2,

    /// <summary>Tells the client of an unrecoverable error of the device.</summary>
    Error = 3,

    /// <summary>Asks the client to give the device back.</summary>
    Request = 4,
}
