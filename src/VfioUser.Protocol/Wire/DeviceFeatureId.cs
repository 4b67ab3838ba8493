namespace VfioUser.Protocol;

/// <summary>Feature index: the low 16 bits of the flags of a <see cref="DeviceFeature"/>.</summary>
/// <remarks>Spec: Device Features.</remarks>
public enum DeviceFeatureId : ushort
{
    /// <summary>VFIO_DEVICE_FEATURE_MIGRATION, get: a <see cref="MigrationFeature"/>.</summary>
    Migration = 1,

    /// <summary>VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, get and set: a <see cref="MigrationDeviceState"/>.</summary>
    MigDeviceState = 2,

    /// <summary>VFIO_DEVICE_FEATURE_DMA_LOGGING_START, set: a <see cref="DmaLoggingControl"/>.</summary>
    DmaLoggingStart = 6,

    /// <summary>VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, set.</summary>
    DmaLoggingStop = 7,

    /// <summary>VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, get: a <see cref="DmaLoggingReport"/>.</summary>
    DmaLoggingReport = 8,

    /// <summary>VFIO_DEVICE_FEATURE_MIG_DATA_SIZE of <c>linux/vfio.h</c>, get: a <see cref="MigrationDataSize"/>.</summary>
    MigDataSize = 9,
}
