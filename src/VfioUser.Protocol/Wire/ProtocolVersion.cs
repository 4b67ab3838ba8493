using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>The fixed part of both version messages, before the optional JSON text.</summary>
/// <param name="Major">Must be equal on both sides.</param>
/// <param name="Minor">In a reply never above the proposed one.</param>
/// <remarks>Spec: VFIO_USER_VERSION. The version data that may follow is read and written by <see cref="VersionMessage"/>.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct ProtocolVersion(ushort Major, ushort Minor)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 4;
}
