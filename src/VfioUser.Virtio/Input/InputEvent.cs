using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>A part of a report of an input device, or of what the guest tells it. Immutable.</summary>
/// <param name="Type">What it is about.</param>
/// <param name="Code">Which key, axis or light, as Linux numbers them.</param>
/// <param name="Value">Its state, position or movement.</param>
/// <remarks>VIRTIO 1.3 5.8.6 "Device Operation".</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct InputEvent(InputEventType Type, ushort Code, int Value)
{
    internal const int Length = 8;

    internal static InputEvent EndOfReport => default;
}
