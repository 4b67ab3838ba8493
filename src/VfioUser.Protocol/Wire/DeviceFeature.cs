using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>First part of the payload of DEVICE_FEATURE, in command and reply; data of the feature follows.</summary>
/// <param name="Argsz">Command: the largest reply payload in bytes. Reply: the bytes needed for all of it.</param>
/// <param name="Flags">Feature index and method.</param>
/// <remarks>Spec: VFIO_USER_DEVICE_FEATURE.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct DeviceFeature(uint Argsz, DeviceFeatureFlags Flags)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 8;

    /// <summary>The feature index; any 16-bit value can arrive.</summary>
    public DeviceFeatureId Feature => (DeviceFeatureId)(Flags & DeviceFeatureFlags.IndexMask);
}
