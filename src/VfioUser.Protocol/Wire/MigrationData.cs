using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>First part of the payload of MIG_DATA_READ and MIG_DATA_WRITE.</summary>
/// <param name="Argsz">Command of a read: the largest reply payload in bytes. Elsewhere: bytes of this structure and the data.</param>
/// <param name="Size">Bytes of migration data; in the reply to a read fewer than asked for means that there is no more.</param>
/// <remarks>Spec: VFIO_USER_MIG_DATA_READ, VFIO_USER_MIG_DATA_WRITE.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct MigrationData(uint Argsz, uint Size)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 8;
}
