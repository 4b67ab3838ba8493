using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Nvme.Backends;

/// <summary>Punches holes into a file: frees its blocks, which then read as zeros.</summary>
internal static partial class FileHoles
{
    // linux/falloc.h
    private const int KeepSize = 0x01;
    private const int PunchHole = 0x02;

    /// <returns>False when the file system does not support it.</returns>
    public static bool TryPunch(SafeFileHandle file, long offset, long length) =>
        length == 0 || Fallocate(file, PunchHole | KeepSize, offset, length) == 0;

    [LibraryImport("libc", EntryPoint = "fallocate")]
    private static partial int Fallocate(SafeFileHandle file, int mode, long offset, long length);
}
