using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>First part of the payload of DEVICE_SET_IRQS; its reply has none.</summary>
/// <param name="Argsz">Bytes of this structure and the data behind it: there is no reply payload to bound.</param>
/// <param name="Flags">Kind of data, and action.</param>
/// <param name="Index">Which interrupt type.</param>
/// <param name="Start">First vector of the range.</param>
/// <param name="Count">Number of vectors.</param>
/// <remarks>Spec: VFIO_USER_DEVICE_SET_IRQS. With <see cref="IrqSetFlags.DataBool"/> one byte a vector follows.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct IrqSet(uint Argsz, IrqSetFlags Flags, uint Index, uint Start, uint Count)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 20;
}
