using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Protocol.Interop;

/// <summary>What is asked of the files that clients and authors pass.</summary>
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

    /// <summary>What a file is. False if the system does not say.</summary>
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
        // only where blocks are that large it is worth asking which file system it is
        bool huge = block > Environment.SystemPageSize && FileSystemOf(file) == HugetlbfsMagic;
        FileId id = new(*(ulong*)(statx + StatxDevice), *(ulong*)(statx + StatxInode));
        facts = new FileFacts(id, type == FormatRegular, type == 0, *(ulong*)(statx + StatxSize), huge ? block : Environment.SystemPageSize);
        return true;
    }

    /// <summary>Whether it is an eventfd, as far as the system says: without a /proc every anonymous file of the kernel looks like one.</summary>
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

    /// <summary>Whether a path leads to a socket.</summary>
    public static bool IsSocket(string path)
    {
        byte* statx = stackalloc byte[StatxLength];
        // SAFETY: a struct statx has 256 bytes.
        return Libc.Statx(AtFdCwd, path, 0, StatxTypeAndSize, statx) == 0
            && (*(ushort*)(statx + StatxMode) & FormatMask) == FormatSocket;
    }

    /// <summary>Whether nobody can make the file shorter any more, so that its pages can be mapped and touched safely.</summary>
    public static bool IsSealedAgainstShrinking(SafeHandle file)
    {
        int seals = Libc.Fcntl(file, Libc.FGetSeals, 0);
        return seals >= 0 && (seals & SealShrink) != 0;
    }

    /// <summary>Whether a descriptor may be mapped so: what the system would say to one more mapping of a file that is mapped so already.</summary>
    public static bool MayMap(SafeHandle file, bool writable)
    {
        int flags = OpenFlags(file);
        return flags >= 0 && (flags & OPath) == 0
            && ((flags & AccessMode) == AccessReadWrite || (!writable && (flags & AccessMode) == AccessRead));
    }

    /// <summary>What a file was opened for, and how; -1 if the system does not say.</summary>
    public static int OpenFlags(SafeHandle file) => Libc.Fcntl(file, Libc.FGetFl, 0);

    /// <summary>Whether two descriptors with the same device and inode have the same content for certain, however they were opened.</summary>
    /// <remarks>It is so where files are memory or lie on a disk. A file of /proc, of an overlay, of a server far away or in another
    /// process may be another one at each open.</remarks>
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

    // 0 if the system does not say
    private static long FileSystemOf(SafeHandle file)
    {
        byte* statfs = stackalloc byte[StatfsLength];
        // SAFETY: a struct statfs has less than 256 bytes, its type first.
        return Libc.Fstatfs(file, statfs) == 0 ? *(long*)statfs : 0;
    }

    /// <summary>A file of memory of the given length, which neither shrinks nor grows unless it shall be able to.</summary>
    public static SafeFileHandle CreateMemory(string name, ulong length, bool resizable = false)
    {
        SafeFileHandle file = Libc.Own(Libc.MemfdCreate(name, Libc.MfdCloexec | Libc.MfdAllowSealing), "memfd_create");
        // what is no file length is negative, and refused as such
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
                // SAFETY: the span is pinned, and what is asked for is what is left of it.
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
                // SAFETY: the span is pinned, and what is given is what is left of it.
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
