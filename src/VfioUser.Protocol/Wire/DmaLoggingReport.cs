using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Data of the command that asks for dirty pages, and of its reply, where the bitmap follows.</summary>
/// <param name="Iova">First byte of the range; an IOVA.</param>
/// <param name="Length">Bytes of the range.</param>
/// <param name="PageSize">Bytes that one bit stands for; a power of two, not necessarily that of the start.</param>
/// <remarks>Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT. The bitmap is an array of 64-bit words; bits beyond the range are zero.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct DmaLoggingReport(ulong Iova, ulong Length, ulong PageSize)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 24;
}
