using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Disks;

/// <summary>System calls for files that .NET has none for.</summary>
internal static partial class FileSystemCalls
{
    // linux/falloc.h
    private const int KeepSize = 0x01;
    private const int PunchHole = 0x02;

    // linux/fcntl.h, linux/fadvise.h
    private const int ReadWrite = 0x0002;
    private const int CloseOnExec = 0x8_0000;
    private const int Exclusive = 2;
    private const int NonBlocking = 4;
    private const int Unlocked = 8;
    private const int DontNeed = 4;
    private const int GetFlags = 3;
    private const int SetFlags = 4;

    // it is one of those whose bit differs: asm-generic/fcntl.h, arch/arm64/include/uapi/asm/fcntl.h
    private static readonly int Direct = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x1_0000 : 0x4000;

    private const int Interrupted = 4; // EINTR

    /// <summary>Punches a hole into a file: frees its blocks, which then read as zeros.</summary>
    /// <returns>0, or the errno.</returns>
    public static int PunchHoleInto(SafeFileHandle file, long offset, long length)
    {
        while (length > 0 && Fallocate(file, PunchHole | KeepSize, offset, length) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno != Interrupted)
                return errno;
        }
        return 0;
    }

    /// <summary>Makes what was written to a file durable. <see cref="RandomAccess.FlushToDisk"/> would not tell of a failure: in
    /// .NET 10 the runtime's fsync returns 1 for one, and its caller looks for a negative number.</summary>
    /// <param name="file">A regular file or block device.</param>
    /// <param name="path">For the message.</param>
    /// <exception cref="IOException">Some is lost.</exception>
    public static void Flush(SafeFileHandle file, string path)
    {
        while (SyncData(file) != 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            if (errno != Interrupted)
                throw Failure(path, errno);
        }
    }

    /// <summary>Opens a file that another process may have locked.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static SafeFileHandle OpenUnlocked(string path)
    {
        int file = Open(path, ReadWrite | CloseOnExec);
        return file >= 0 ? new SafeFileHandle(file, ownsHandle: true) : throw Failure(path, Marshal.GetLastPInvokeError());
    }

    /// <summary>Has a file's reads and writes go past the page cache.</summary>
    /// <exception cref="IOException">Its file system cannot.</exception>
    public static void UseDirect(SafeFileHandle file, string path)
    {
        int flags = Fcntl(file, GetFlags, 0);
        if (flags < 0 || Fcntl(file, SetFlags, flags | Direct) < 0)
            throw Failure(path + ": O_DIRECT", Marshal.GetLastPInvokeError());
    }

    /// <summary>Locks a file against all others, or fails at once.</summary>
    public static bool TryLock(SafeFileHandle file) => Flock(file, Exclusive | NonBlocking) == 0;

    public static void Unlock(SafeFileHandle file) => Flock(file, Unlocked);

    /// <summary>Has the kernel forget what it has cached of a file and need not write.</summary>
    public static void DropCache(SafeFileHandle file) => FileAdvise(file, 0, 0, DontNeed);

    public static IOException Failure(string what, int errno) => new($"{what}: {Marshal.GetPInvokeErrorMessage(errno)}", errno);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int Fallocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int SyncData(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(SafeFileHandle file, int command, int argument);

    [LibraryImport("libc", EntryPoint = "flock")]
    private static partial int Flock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int FileAdvise(SafeFileHandle file, long offset, long length, int advice);
}
