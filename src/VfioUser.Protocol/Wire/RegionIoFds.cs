using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>First part of the payload of DEVICE_GET_REGION_IO_FDS, in command and reply.</summary>
/// <param name="Argsz">Command: the largest reply payload in bytes. Reply: the bytes needed for all of it, entries included.</param>
/// <param name="Flags">Zero.</param>
/// <param name="Index">Which region.</param>
/// <param name="Count">Reply: number of entries that follow. Zero in the command.</param>
/// <remarks>Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS. Each entry is an <see cref="IoEventFd"/>, an <see cref="IoRegionFd"/> or,
/// with libvfio-user, an <see cref="IoEventFdShadow"/>.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct RegionIoFds(uint Argsz, uint Flags, uint Index, uint Count)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;
}
