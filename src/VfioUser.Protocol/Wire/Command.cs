namespace VfioUser.Protocol;

/// <summary>The command field of a message header; a reply repeats that of its command.</summary>
/// <remarks>Spec: Commands. The number 14 is not assigned.</remarks>
public enum Command : ushort
{
    /// <summary>VFIO_USER_VERSION, client to server: the first message, proposes a version and capabilities.</summary>
    Version = 1,

    /// <summary>VFIO_USER_DMA_MAP, client to server: maps a DMA region, that is, guest memory.</summary>
    DmaMap = 2,

    /// <summary>VFIO_USER_DMA_UNMAP, client to server: unmaps a DMA region; answered when the last access has ended.</summary>
    DmaUnmap = 3,

    /// <summary>VFIO_USER_DEVICE_GET_INFO, client to server: number of regions and interrupt types.</summary>
    DeviceGetInfo = 4,

    /// <summary>VFIO_USER_DEVICE_GET_REGION_INFO, client to server: size, access and mappable areas of one region.</summary>
    DeviceGetRegionInfo = 5,

    /// <summary>VFIO_USER_DEVICE_GET_REGION_IO_FDS, client to server: ioeventfds and ioregionfds of one region.</summary>
    DeviceGetRegionIoFds = 6,

    /// <summary>VFIO_USER_DEVICE_GET_IRQ_INFO, client to server: vectors of one interrupt type.</summary>
    DeviceGetIrqInfo = 7,

    /// <summary>VFIO_USER_DEVICE_SET_IRQS, client to server: sets up, masks, unmasks or triggers interrupts.</summary>
    DeviceSetIrqs = 8,

    /// <summary>VFIO_USER_REGION_READ, client to server.</summary>
    RegionRead = 9,

    /// <summary>VFIO_USER_REGION_WRITE, client to server.</summary>
    RegionWrite = 10,

    /// <summary>VFIO_USER_DMA_READ, server to client: reads guest memory that is not mapped.</summary>
    DmaRead = 11,

    /// <summary>VFIO_USER_DMA_WRITE, server to client: writes guest memory that is not mapped.</summary>
    DmaWrite = 12,

    /// <summary>VFIO_USER_DEVICE_RESET, client to server; neither command nor reply has a payload.</summary>
    DeviceReset = 13,

    /// <summary>VFIO_USER_REGION_WRITE_MULTI, client to server: many writes; only with <c>write_multiple</c>.</summary>
    RegionWriteMulti = 15,

    /// <summary>VFIO_USER_DEVICE_FEATURE, client to server: get, set or probe a feature.</summary>
    DeviceFeature = 16,

    /// <summary>VFIO_USER_MIG_DATA_READ, client to server: takes migration data out of the device.</summary>
    MigDataRead = 17,

    /// <summary>VFIO_USER_MIG_DATA_WRITE, client to server: puts migration data into the device.</summary>
    MigDataWrite = 18,
}
