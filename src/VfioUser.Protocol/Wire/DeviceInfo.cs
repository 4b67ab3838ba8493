using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Payload of DEVICE_GET_INFO, in command and reply.</summary>
/// <param name="Argsz">Command: the largest reply payload in bytes. Reply: the bytes needed for all of it.</param>
/// <param name="Flags">Zero in the command.</param>
/// <param name="RegionCount">num_regions: highest region index plus one. Zero in the command.</param>
/// <param name="IrqCount">num_irqs: highest index of an interrupt type plus one. Zero in the command.</param>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_INFO.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct DeviceInfo(uint Argsz, DeviceFlags Flags, uint RegionCount, uint IrqCount)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;
}
