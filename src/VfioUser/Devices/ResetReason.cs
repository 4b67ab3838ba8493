namespace VfioUser;

/// <summary>Why a device is reset.</summary>
public enum ResetReason
{
    /// <summary>By the client, as QEMU does when the machine starts. Spec: VFIO_USER_DEVICE_RESET.</summary>
    ClientRequested,

    /// <summary>By the driver: function level reset, in the PCI Express capability. PCI Express 6.6.2.</summary>
    FunctionLevel,

    /// <summary>By the device, or the program that it is part of: <see cref="PciDevice.RequestResetAsync"/>.</summary>
    DeviceRequested,
}
