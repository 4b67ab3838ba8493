using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>Payload of the command that asks how much is left to read in pre-copy, and of its reply.</summary>
/// <param name="Argsz">Command: the largest reply payload in bytes. Reply: bytes of this structure.</param>
/// <param name="Flags">0.</param>
/// <param name="InitialBytes">Bytes of the state as it was when pre-copy began that are not read yet; an estimate.</param>
/// <param name="DirtyBytes">Bytes that have changed since all of it was read; an estimate.</param>
/// <remarks>Not in the specification. Source: <c>linux/vfio.h</c>, VFIO_MIG_GET_PRECOPY_INFO.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct PreCopyInfo(uint Argsz, uint Flags, ulong InitialBytes, ulong DirtyBytes)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 24;

    /// <summary>The command's number as libvfio-user's pull request 823 has it. Another pull request uses the number for something
    /// else, and the specification has neither, so it is no member of <see cref="Protocol.Command"/>.</summary>
    public const Command Command = (Command)19;
}
