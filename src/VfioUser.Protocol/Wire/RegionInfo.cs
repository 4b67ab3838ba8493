using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>First part of the payload of DEVICE_GET_REGION_INFO, in command and reply.</summary>
/// <param name="Argsz">Command: the largest reply payload in bytes. Reply: the bytes needed, with all capabilities.</param>
/// <param name="Flags">Zero in the command.</param>
/// <param name="Index">Which region; the only field that the command has to set besides argsz.</param>
/// <param name="CapOffset">Where the first <see cref="RegionCapHeader"/> is, in bytes from here; 0 if not in this message.</param>
/// <param name="Size">Bytes of the region; 0 if it does not exist.</param>
/// <param name="Offset">Where the region begins in its descriptor's file, in bytes; with <see cref="RegionFlags.Mmap"/>.</param>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_REGION_INFO.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct RegionInfo(uint Argsz, RegionFlags Flags, uint Index, uint CapOffset, ulong Size, ulong Offset)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 32;
}
