using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Virtio;

/// <summary>System calls on names in folders that are descriptors.</summary>
/// <remarks>Names and paths end with a NUL. A call returns -1 if it fails; the errno is the last P/Invoke error.</remarks>
internal static partial class FolderCalls
{
    public const int CurrentFolder = -100; // AT_FDCWD: the path is absolute

    public const int WriteOnly = 1;
    public const int ReadWrite = 2;
    public const int AccessMode = 3;
    public const int Create = 0x40;
    public const int Exclusive = 0x80;
    public const int Truncate = 0x200;
    public const int NonBlocking = 0x800;
    public const int Synchronous = 0x10_1000; // O_SYNC, which has O_DSYNC in it
    public const int CloseOnExec = 0x8_0000;
    public const int PathOnly = 0x20_0000;

    public const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    public const int FollowLink = 0x400; // AT_SYMLINK_FOLLOW
    public const int RemoveFolder = 0x200; // AT_REMOVEDIR

    public const int StatxLength = 256;
    public const uint StatxBasicAndBirth = 0xFFF;
    public const int StatfsLength = 256;
    public const int SeekFromStart = 0;

    private const int DuplicateCloseOnExec = 1030; // F_DUPFD_CLOEXEC

    // the bits differ: asm-generic/fcntl.h, arch/arm64/include/uapi/asm/fcntl.h
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm;

    public static int NoFollow => IsArm ? 0x8000 : 0x2_0000;

    public static int FolderOnly => IsArm ? 0x4000 : 0x1_0000;

    /// <summary>One more descriptor of the same file; -1 if there are too many.</summary>
    public static int Duplicate(SafeFileHandle file) => Control(file, DuplicateCloseOnExec, 0);

    // variadic in C, which x86-64 and arm64 Linux pass like a plain call
    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    public static partial int OpenAt(SafeFileHandle folder, ReadOnlySpan<byte> name, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    public static partial int OpenAt(int folder, ReadOnlySpan<byte> path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    public static partial int Statx(SafeFileHandle file, ReadOnlySpan<byte> name, int flags, uint mask, Span<byte> statx);

    [LibraryImport("libc", EntryPoint = "fstatfs", SetLastError = true)]
    public static partial int StatFileSystem(SafeFileHandle file, Span<byte> statfs);

    [LibraryImport("libc", EntryPoint = "getdents64", SetLastError = true)]
    public static partial nint ReadFolder(SafeFileHandle folder, Span<byte> entries, nint length);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(SafeFileHandle file, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    public static partial int MakeFolder(SafeFileHandle folder, ReadOnlySpan<byte> name, uint mode);

    [LibraryImport("libc", EntryPoint = "mknodat", SetLastError = true)]
    public static partial int MakeNode(SafeFileHandle folder, ReadOnlySpan<byte> name, uint mode, ulong device);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    public static partial int MakeLink(ReadOnlySpan<byte> target, SafeFileHandle folder, ReadOnlySpan<byte> name);

    [LibraryImport("libc", EntryPoint = "linkat", SetLastError = true)]
    public static partial int AddName(int fromFolder, ReadOnlySpan<byte> from, SafeFileHandle folder, ReadOnlySpan<byte> name, int flags);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    public static partial nint ReadLink(SafeFileHandle link, ReadOnlySpan<byte> name, Span<byte> target, nint length);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true)]
    public static partial int Rename(SafeFileHandle fromFolder, ReadOnlySpan<byte> from, SafeFileHandle toFolder, ReadOnlySpan<byte> to);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    public static partial int Remove(SafeFileHandle folder, ReadOnlySpan<byte> name, int flags);

    [LibraryImport("libc", EntryPoint = "fchmodat", SetLastError = true)]
    public static partial int ChangeMode(int folder, ReadOnlySpan<byte> path, uint mode, int flags);

    [LibraryImport("libc", EntryPoint = "fchownat", SetLastError = true)]
    public static partial int ChangeOwner(SafeFileHandle file, ReadOnlySpan<byte> name, uint user, uint group, int flags);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    public static partial int ChangeTimes(SafeFileHandle file, ReadOnlySpan<byte> name, ReadOnlySpan<long> times, int flags);

    [LibraryImport("libc", EntryPoint = "truncate", SetLastError = true)]
    public static partial int Resize(ReadOnlySpan<byte> path, long length);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Flush(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "pread", SetLastError = true)]
    public static partial nint ReadAt(SafeFileHandle file, Span<byte> destination, nint length, long offset);

    [LibraryImport("libc", EntryPoint = "pwrite", SetLastError = true)]
    public static partial nint WriteAt(SafeFileHandle file, ReadOnlySpan<byte> source, nint length, long offset);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeFileHandle file, int command, int argument);
}
