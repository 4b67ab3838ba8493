using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Data of VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, in the reply to a get.</summary>
/// <param name="StopCopyLength">Bytes to read once the device is stopped; an estimate.</param>
/// <remarks>Not in the specification. Source: <c>linux/vfio.h</c>, VFIO_DEVICE_FEATURE_MIG_DATA_SIZE.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct MigrationDataSize(ulong StopCopyLength)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 8;
}
