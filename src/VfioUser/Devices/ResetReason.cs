namespace VfioUser;

/// <summary>Why a device is reset.</summary>
public enum ResetReason
{
    /// <summary>The client asked for it, as a monitor does when the machine starts. Spec: VFIO_USER_DEVICE_RESET.</summary>
    Device,

    /// <summary>The driver asked for it in the PCI Express capability. PCI Express 6.6.2.</summary>
    FunctionLevel,
}
