using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Data of the device state feature: command of a set, reply of set and get.</summary>
/// <param name="State">device_state: the state to enter, or the one that the device is in.</param>
/// <param name="DataFd">data_fd: not used in vfio-user, where migration data travels in messages.</param>
/// <remarks>Spec: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct MigrationDeviceState(MigrationState State, uint DataFd)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 8;
}
