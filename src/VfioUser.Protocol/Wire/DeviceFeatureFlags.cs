namespace VfioUser.Protocol;

/// <summary>Flags of a <see cref="DeviceFeature"/>: which feature, and what to do with it.</summary>
/// <remarks>Spec: VFIO_USER_DEVICE_FEATURE.</remarks>
#pragma warning disable MA0062 // the low 16 bits are a number, so their mask is no union of named bits
[Flags]
public enum DeviceFeatureFlags : uint
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>VFIO_DEVICE_FEATURE_MASK: the bits of the <see cref="DeviceFeatureId"/>.</summary>
    IndexMask = 0xFFFF,

    /// <summary>VFIO_DEVICE_FEATURE_GET.</summary>
    Get = 1 << 16,

    /// <summary>VFIO_DEVICE_FEATURE_SET; excludes get, except in a probe.</summary>
    Set = 1 << 17,

    /// <summary>VFIO_DEVICE_FEATURE_PROBE: only ask whether all methods named beside it are supported.</summary>
    Probe = 1 << 18,
}
