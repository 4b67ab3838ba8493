namespace VfioUser.Protocol;

/// <summary>Which structure an entry of the reply to DEVICE_GET_REGION_IO_FDS has.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS.</remarks>
public enum IoFdType : uint
{
    /// <summary>VFIO_USER_IO_FD_TYPE_IOEVENTFD: <see cref="Protocol.IoEventFd"/>.</summary>
    IoEventFd = 0,

    /// <summary>VFIO_USER_IO_FD_TYPE_IOREGIONFD: <see cref="Protocol.IoRegionFd"/>.</summary>
    IoRegionFd = 1,

    /// <summary>VFIO_USER_IO_FD_TYPE_IOEVENTFD_SHADOW: <see cref="Protocol.IoEventFdShadow"/>. Only in libvfio-user.</summary>
    IoEventFdShadow = 2,
}
