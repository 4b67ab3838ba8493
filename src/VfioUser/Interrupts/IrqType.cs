namespace VfioUser;

/// <summary>The types of interrupts, by their index. Source: <c>linux/vfio.h</c>, VFIO_PCI_*_IRQ_INDEX.</summary>
public enum IrqType
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
