using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Protocol.Interop;

/// <summary>Calls on files that clients and devices pass, and on memory files.</summary>
internal static unsafe class FileCalls
{
    private const int AtEmptyPath = 0x1000;
    private const uint StatxTypeAndSize = 0x1 | 0x200;
    private const uint StatxInodeNumber = 0x100;
    private const int StatxLength = 256;
    private const int StatxBlockSize = 4;
    private const int StatxMode = 28;
    private const int StatxInode = 32;
    private const int StatxSize = 40;
    private const int StatxDevice = 136; // major and minor number
    private const int StatfsLength = 256;
    private const int FormatMask = 0xF000;
    private const int FormatRegular = 0x8000;
    private const int FormatSocket = 0xC000;
    private const int AtFdCwd = -100;
    private const long HugetlbfsMagic = 0x958458F6;
    private const long TmpfsMagic = 0x01021994;
    private const long RamfsMagic = 0x858458F6;
    private const long ExtMagic = 0xEF53;
    private const long XfsMagic = 0x58465342;
    private const long BtrfsMagic = 0x9123683E;
    private const int AccessMode = 3;
    private const int AccessReadWrite = 2;
    private const int AccessRead = 0;
    private const int OPath = 0x200000;
    private const int SealSeal = 1;
    private const int SealShrink = 2;
    private const int SealGrow = 4;

    /// <summary>Describes a file. False if the system refuses.</summary>
    public static bool TryDescribe(SafeHandle file, out FileFacts facts)
    {
        byte* statx = stackalloc byte[StatxLength];
        byte emptyPath = 0;
        // SAFETY: a struct statx has 256 bytes, and the path is an empty, terminated string on this stack.
        if (Libc.Statx(file, &emptyPath, AtEmptyPath, StatxTypeAndSize | StatxInodeNumber, statx) != 0)
        {
            facts = default;
            return false;
        }
        int type = *(ushort*)(statx + StatxMode) & FormatMask;
        int block = *(int*)(statx + StatxBlockSize);
        // hugetlbfs reports its page size as block size, so smaller blocks save the second system call
        bool huge = block > Environment.SystemPageSize && FileSystemOf(file) == HugetlbfsMagic;
        FileId id = new(*(ulong*)(statx + StatxDevice), *(ulong*)(statx + StatxInode));
        facts = new FileFacts(id, type == FormatRegular, type == 0, *(ulong*)(statx + StatxSize), huge ? block : Environment.SystemPageSize);
        return true;
    }

    /// <summary>Whether it is an eventfd. Without a /proc, true for every anonymous file of the kernel.</summary>
    public static bool IsEventFd(SafeHandle file)
    {
        if (!TryDescribe(file, out FileFacts facts) || !facts.IsAnonymous)
            return false;
        bool added = false;
        file.DangerousAddRef(ref added);
        try
        {
            return new FileInfo($"/proc/self/fd/{file.DangerousGetHandle()}").LinkTarget is null or "anon_inode:[eventfd]";
        }
        finally
        {
            file.DangerousRelease();
        }
    }

    /// <summary>Whether the file at a path is a socket.</summary>
    public static bool IsSocket(string path)
    {
        byte* statx = stackalloc byte[StatxLength];
        // SAFETY: a struct statx has 256 bytes.
        return Libc.Statx(AtFdCwd, path, 0, StatxTypeAndSize, statx) == 0
            && (*(ushort*)(statx + StatxMode) & FormatMask) == FormatSocket;
    }

    /// <summary>Whether the file is sealed against shrinking, so that touching its mapped pages cannot raise SIGBUS.</summary>
    public static bool IsSealedAgainstShrinking(SafeHandle file)
    {
        int seals = Libc.Fcntl(file, Libc.FGetSeals, 0);
        return seals >= 0 && (seals & SealShrink) != 0;
    }

    /// <summary>Whether the descriptor's access mode allows a shared mapping, to read or to write.</summary>
    public static bool MayMap(SafeHandle file, bool writable)
    {
        int flags = OpenFlags(file);
        return flags >= 0 && (flags & OPath) == 0
            && ((flags & AccessMode) == AccessReadWrite || (!writable && (flags & AccessMode) == AccessRead));
    }

    /// <summary>The flags of <c>open(2)</c> of a descriptor; -1 if the system refuses.</summary>
    public static int OpenFlags(SafeHandle file) => Libc.Fcntl(file, Libc.FGetFl, 0);

    /// <summary>Whether two descriptors with this file's device and inode certainly have the same content.</summary>
    /// <remarks>True on file systems in memory or on a local disk. On /proc, an overlay, a network file system or FUSE each open may
    /// yield another file.</remarks>
    public static bool IsKnownByInode(SafeHandle file) =>
        FileSystemOf(file) is TmpfsMagic or RamfsMagic or ExtMagic or XfsMagic or BtrfsMagic;

    /// <summary>Whether two descriptors are of one open file, as copies of a descriptor are. False where the kernel cannot say (before Linux 6.10).</summary>
    public static bool IsSameOpenFile(SafeHandle first, SafeHandle second)
    {
        bool added = false;
        second.DangerousAddRef(ref added);
        try
        {
            return Libc.Fcntl(first, Libc.FDupFdQuery, second.DangerousGetHandle()) == 1;
        }
        finally
        {
            second.DangerousRelease();
        }
    }

    // 0 if the system refuses
    private static long FileSystemOf(SafeHandle file)
    {
        byte* statfs = stackalloc byte[StatfsLength];
        // SAFETY: a struct statfs has less than 256 bytes, its type first.
        return Libc.Fstatfs(file, statfs) == 0 ? *(long*)statfs : 0;
    }

    /// <summary>Makes a memory file of the given length, sealed against shrinking and growing unless <paramref name="resizable"/>.</summary>
    public static SafeFileHandle CreateMemory(string name, ulong length, bool resizable = false)
    {
        SafeFileHandle file = Libc.Own(Libc.MemfdCreate(name, Libc.MfdCloexec | Libc.MfdAllowSealing), "memfd_create");
        // a length above the largest file turns negative, which the system refuses
        if (Libc.Ftruncate(file, unchecked((long)length)) == 0
            && (resizable || Libc.Fcntl(file, Libc.FAddSeals, SealShrink | SealGrow | SealSeal) == 0))
        {
            return file;
        }
        IOException failure = Libc.Failure($"making a memory file of {length} bytes");
        file.Dispose();
        throw failure;
    }

    /// <summary>Makes a file shorter, or longer by zeros.</summary>
    public static void Resize(SafeHandle file, ulong length)
    {
        if (Libc.Ftruncate(file, checked((long)length)) != 0)
            throw Libc.Failure("ftruncate");
    }

    /// <summary>One more descriptor of the same open file.</summary>
    public static SafeFileHandle Duplicate(SafeHandle file) =>
        Libc.Own(Libc.Fcntl(file, Libc.FDupFdCloexec, 0), "fcntl(F_DUPFD_CLOEXEC)");

    public static Errno ReadAt(SafeHandle file, Span<byte> destination, ulong offset)
    {
        fixed (byte* start = destination)
        {
            for (int done = 0; done < destination.Length;)
            {
                // SAFETY: the span is pinned, and start and count stay in it.
                nint count = Libc.Pread(file, start + done, (nuint)(destination.Length - done), (long)(offset + (ulong)done));
                if (count == 0)
                    return Errno.EIO; // past the end: the file has shrunk
                if (count > 0)
                    done += (int)count;
                else if (Libc.LastErrno is Errno errno and not Errno.EINTR)
                    return errno;
            }
        }
        return Errno.None;
    }

    public static Errno WriteAt(SafeHandle file, ReadOnlySpan<byte> source, ulong offset)
    {
        fixed (byte* start = source)
        {
            for (int done = 0; done < source.Length;)
            {
                // SAFETY: the span is pinned, and start and count stay in it.
                nint count = Libc.Pwrite(file, start + done, (nuint)(source.Length - done), (long)(offset + (ulong)done));
                if (count == 0)
                    return Errno.EIO;
                if (count > 0)
                    done += (int)count;
                else if (Libc.LastErrno is Errno errno and not Errno.EINTR)
                    return errno;
            }
        }
        return Errno.None;
    }
}
