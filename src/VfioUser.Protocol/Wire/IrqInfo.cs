using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Payload of DEVICE_GET_IRQ_INFO, in command and reply.</summary>
/// <param name="Argsz">Command: the largest reply payload in bytes. Reply: the bytes needed for all of it.</param>
/// <param name="Flags">Zero in the command.</param>
/// <param name="Index">Which interrupt type.</param>
/// <param name="Count">Number of vectors of the type. Zero in the command.</param>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_IRQ_INFO.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct IrqInfo(uint Argsz, IrqInfoFlags Flags, uint Index, uint Count)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;
}
