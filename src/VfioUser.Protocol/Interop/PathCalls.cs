using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Protocol.Interop;

/// <summary>Calls on names in the file system.</summary>
internal static unsafe partial class PathCalls
{
    private const int AtFdCwd = -100;
    private const int AtSymlinkNoFollow = 0x100;
    private const uint StatxInode = 0x100;
    private const int StatxLength = 256;
    private const int StatxIno = 32;
    private const int StatxDevMajor = 136;
    private const int StatxDevMinor = 140;
    private const int OpenPath = 0x200000;
    private const int OpenDirectory = 0x10000;
    private const int OpenCloexec = 0x80000;

    /// <summary>RENAME_NOREPLACE: EEXIST if the new name exists.</summary>
    public const uint NoReplace = 1;

    /// <summary>RENAME_EXCHANGE: swaps two names, which both must exist.</summary>
    public const uint Exchange = 2;

    /// <summary>The file that a name stands for, without following a link; null if there is no such name, or the system refuses.</summary>
    public static FileIdentity? IdentityOf(string path)
    {
        byte* statx = stackalloc byte[StatxLength];
        // SAFETY: a struct statx has 256 bytes.
        if (Libc.Statx(AtFdCwd, path, AtSymlinkNoFollow, StatxInode, statx) != 0)
            return null;
        return new FileIdentity(*(uint*)(statx + StatxDevMajor), *(uint*)(statx + StatxDevMinor), *(ulong*)(statx + StatxIno));
    }

    /// <summary>One <c>renameat2</c>, which is atomic.</summary>
    /// <returns>EINVAL where the file system does not know the flag.</returns>
    public static Errno Rename(string from, string to, uint flags) =>
        Rename(AtFdCwd, from, AtFdCwd, to, flags) == 0 ? Errno.None : Libc.LastErrno;

    /// <summary>Opens a folder, to name it by its descriptor where its path is too long.</summary>
    public static SafeFileHandle OpenFolder(string path) => Libc.Own(Open(path, OpenPath | OpenDirectory | OpenCloexec), "open");

    [LibraryImport(Libc.Library, EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Rename(int fromFolder, string from, int toFolder, string to, uint flags);

    // variadic in C, which x86-64 and arm64 Linux pass like a plain call
    [LibraryImport(Libc.Library, EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}
