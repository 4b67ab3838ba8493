namespace VfioUser.Protocol;

/// <summary>Optional migration states of a device.</summary>
/// <remarks>Spec: VFIO_DEVICE_FEATURE_MIGRATION.</remarks>
[Flags]
public enum MigrationFlags : ulong
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>VFIO_MIGRATION_STOP_COPY: must be set if there is migration at all.</summary>
    StopCopy = 0x1,

    /// <summary>VFIO_MIGRATION_P2P; not used in vfio-user.</summary>
    P2P = 0x2,

    /// <summary>VFIO_MIGRATION_PRE_COPY: state can be read while the device runs.</summary>
    PreCopy = 0x4,
}
