namespace VfioUser.Protocol;

/// <summary>Attributes of a device.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_INFO.</remarks>
[Flags]
public enum DeviceFlags : uint
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>VFIO_DEVICE_FLAGS_RESET: <see cref="Command.DeviceReset"/> is supported.</summary>
    Reset = 0x1,

    /// <summary>VFIO_DEVICE_FLAGS_PCI: a PCI device, the only kind there is.</summary>
    Pci = 0x2,
}
