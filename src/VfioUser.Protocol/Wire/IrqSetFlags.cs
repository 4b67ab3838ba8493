namespace VfioUser.Protocol;

/// <summary>What to do with interrupts: exactly one data bit and one action bit.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_SET_IRQS.</remarks>
[Flags]
public enum IrqSetFlags : uint
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>VFIO_IRQ_SET_DATA_NONE: no data; act on the whole range. With count 0: disable the type.</summary>
    DataNone = 0x1,

    /// <summary>VFIO_IRQ_SET_DATA_BOOL: one byte a vector follows; act where it is not zero.</summary>
    DataBool = 0x2,

    /// <summary>VFIO_IRQ_SET_DATA_EVENTFD: descriptors come with the message; without any, the vectors lose theirs.</summary>
    DataEventFd = 0x4,

    /// <summary>VFIO_IRQ_SET_ACTION_MASK.</summary>
    ActionMask = 0x8,

    /// <summary>VFIO_IRQ_SET_ACTION_UNMASK.</summary>
    ActionUnmask = 0x10,

    /// <summary>VFIO_IRQ_SET_ACTION_TRIGGER.</summary>
    ActionTrigger = 0x20,

    /// <summary>All data bits.</summary>
    DataTypeMask = 0x7,

    /// <summary>All action bits.</summary>
    ActionTypeMask = 0x38,
}
