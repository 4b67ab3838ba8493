namespace VfioUser;

/// <summary>Indices of a PCI device's interrupt types. Source: <c>linux/vfio.h</c>, VFIO_PCI_*_IRQ_INDEX.</summary>
public enum PciIrq
{
    /// <summary>INTx: one vector, level-triggered.</summary>
    Intx = 0,

    /// <summary>Message signalled interrupts, up to 32.</summary>
    Msi = 1,

    /// <summary>Extended message signalled interrupts, up to 2048.</summary>
    MsiX = 2,

    /// <summary>Reports an unrecoverable error of the device to the client.</summary>
    Error = 3,

    /// <summary>Requests that the client releases the device.</summary>
    Request = 4,
}
