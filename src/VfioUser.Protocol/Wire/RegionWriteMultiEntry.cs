using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>One small write among several.</summary>
/// <param name="Offset">First byte, relative to the region.</param>
/// <param name="Region">Index of the region.</param>
/// <param name="Count">Bytes, despite the name; at most 8.</param>
/// <param name="Data">The bytes to write, the first <paramref name="Count"/> of the eight in memory order.</param>
/// <remarks>Spec: Single Device Write Format.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct RegionWriteMultiEntry(ulong Offset, uint Region, uint Count, ulong Data)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 24;
}
