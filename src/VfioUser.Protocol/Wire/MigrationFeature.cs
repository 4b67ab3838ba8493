using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Data of the migration feature, in the reply to a get.</summary>
/// <param name="Flags">Which states there are besides running and error.</param>
/// <remarks>Spec: VFIO_DEVICE_FEATURE_MIGRATION.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct MigrationFeature(MigrationFlags Flags)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 8;
}
