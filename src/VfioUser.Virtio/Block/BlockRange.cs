using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>A range to be discarded, zeroed or erased.</summary>
/// <remarks>VIRTIO 1.3 5.2.6.</remarks>
/// <param name="Sector">The first one, of 512 bytes.</param>
/// <param name="Count">How many.</param>
/// <param name="Flags">Bit 0: the storage may be freed. The others are reserved.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct BlockRange(ulong Sector, uint Count, uint Flags)
{
    public const int Size = 16;

    public const uint Unmap = 1;
}
