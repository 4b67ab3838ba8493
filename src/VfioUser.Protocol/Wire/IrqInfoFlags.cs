namespace VfioUser.Protocol;

/// <summary>Attributes of an interrupt type.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_IRQ_INFO.</remarks>
[Flags]
public enum IrqInfoFlags : uint
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>VFIO_IRQ_INFO_EVENTFD: can be signalled by eventfd.</summary>
    EventFd = 0x1,

    /// <summary>VFIO_IRQ_INFO_MASKABLE: the mask and unmask actions are supported.</summary>
    Maskable = 0x2,

    /// <summary>VFIO_IRQ_INFO_AUTOMASKED: masks itself when triggered; the client unmasks it.</summary>
    AutoMasked = 0x4,

    /// <summary>VFIO_IRQ_INFO_NORESIZE: vectors are set up as a set; to add some, disable the type first.</summary>
    NoResize = 0x8,
}
