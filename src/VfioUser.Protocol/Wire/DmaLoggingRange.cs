using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>A range of guest memory whose writes are logged.</summary>
/// <param name="Iova">First byte; an IOVA.</param>
/// <param name="Length">Bytes.</param>
/// <remarks>Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_START / VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct DmaLoggingRange(ulong Iova, ulong Length)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;
}
