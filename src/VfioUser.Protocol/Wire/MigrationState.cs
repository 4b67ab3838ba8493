namespace VfioUser.Protocol;

/// <summary>State of the migration state machine.</summary>
/// <remarks>Spec: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE.</remarks>
public enum MigrationState : uint
{
    /// <summary>VFIO_DEVICE_STATE_ERROR: failed, needs a reset; cannot be asked for.</summary>
    Error = 0,

    /// <summary>VFIO_DEVICE_STATE_STOP: nothing changes inside or outside.</summary>
    Stop = 1,

    /// <summary>VFIO_DEVICE_STATE_RUNNING.</summary>
    Running = 2,

    /// <summary>VFIO_DEVICE_STATE_STOP_COPY: stopped, its state can be read.</summary>
    StopCopy = 3,

    /// <summary>VFIO_DEVICE_STATE_RESUMING: stopped, its state is being written.</summary>
    Resuming = 4,

    /// <summary>VFIO_DEVICE_STATE_RUNNING_P2P; not used in vfio-user.</summary>
    RunningP2P = 5,

    /// <summary>VFIO_DEVICE_STATE_PRE_COPY: running, its state can be read and changes are tracked.</summary>
    PreCopy = 6,

    /// <summary>VFIO_DEVICE_STATE_PRE_COPY_P2P; not used in vfio-user.</summary>
    PreCopyP2P = 7,
}
