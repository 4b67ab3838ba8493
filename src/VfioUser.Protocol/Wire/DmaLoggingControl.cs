using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Data of the command that starts logging of the device's DMA writes, and of its reply.</summary>
/// <param name="PageSize">Command: wanted granularity in bytes. Reply: the one taken.</param>
/// <param name="RangeCount">num_ranges: number of <see cref="DmaLoggingRange"/> that follow; 0 means all memory.</param>
/// <param name="Reserved">Zero.</param>
/// <remarks>Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_START / VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct DmaLoggingControl(ulong PageSize, uint RangeCount, uint Reserved)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;
}
