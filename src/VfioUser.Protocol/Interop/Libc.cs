using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VfioUser.Protocol.Interop;

/// <summary>The system calls that .NET does not offer, as libc declares them. Numbers are Linux's.</summary>
internal static unsafe partial class Libc
{
    public const string Library = "libc";

    public const int SolSocket = 1;
    public const int ScmRights = 1;
    public const int SoType = 3;
    public const int SoRcvTimeo = 20;
    public const int SoSndBuf = 7;
    public const int SoRcvBuf = 8;
    public const int SoPeerCred = 17;
    public const int SoAcceptConn = 30;
    public const int SoDomain = 39;

    public const int MsgCtrunc = 0x8;
    public const int MsgDontWait = 0x40;
    public const int MsgWaitAll = 0x100;
    public const int MsgNoSignal = 0x4000;
    public const int MsgCmsgCloexec = 0x40000000;

    public const int SockCloexec = 0x80000;
    public const int AfUnix = 1;
    public const int SockStream = 1;
    public const int ShutRdWr = 2;

    public const int ProtRead = 1;
    public const int ProtWrite = 2;
    public const int MapShared = 1;

    public const int MfdCloexec = 1;
    public const int MfdAllowSealing = 2;
    public const int EfdCloexec = 0x80000;
    public const int EfdNonBlock = 0x800;

    public const int FSetFd = 2;
    public const int FdCloexec = 1;
    public const int FGetFl = 3;
    public const int FSetFl = 4;
    public const int FDupFdQuery = 1027;
    public const int FDupFdCloexec = 1030;
    public const int FAddSeals = 1033;
    public const int FGetSeals = 1034;
    public const int ONonBlock = 0x800;

    public const int RwfNoWait = 8;

    public const short PollIn = 1;
    public const short PollOut = 4;
    public const short PollErr = 8;
    public const short PollHup = 0x10;

    [StructLayout(LayoutKind.Sequential)]
    public struct IoVec
    {
        public void* Base;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct MsgHdr
    {
        public void* Name;
        public uint NameLength;
        public IoVec* Iov;
        public nuint IovLength;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct CmsgHdr
    {
        public nuint Length;
        public int Level;
        public int Type;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct PollFd
    {
        public int Fd;
        public short Events;
        public short Revents;
    }

    public const int ClockMonotonic = 1;

    [StructLayout(LayoutKind.Sequential)]
    public readonly record struct TimeSpec(long Seconds, long Nanoseconds);

    [LibraryImport(Library, EntryPoint = "recvmsg", SetLastError = true)]
    public static partial nint RecvMsg(SafeHandle socket, MsgHdr* message, int flags);

    // only with MSG_DONTWAIT: without a transition the garbage collector waits for the call. It also leaves errno untouched.
    [SuppressGCTransition]
    [LibraryImport(Library, EntryPoint = "recvmsg")]
    public static partial nint RecvMsgNow(int socket, MsgHdr* message, int flags);

    [LibraryImport(Library, EntryPoint = "sendmsg", SetLastError = true)]
    public static partial nint SendMsg(SafeHandle socket, MsgHdr* message, int flags);

    [LibraryImport(Library, EntryPoint = "send", SetLastError = true)]
    public static partial nint Send(int socket, byte* bytes, nuint length, int flags);

    [LibraryImport(Library, EntryPoint = "geteuid")]
    public static partial uint GetEffectiveUserId();

    [LibraryImport(Library, EntryPoint = "shutdown", SetLastError = true)]
    public static partial int Shutdown(SafeHandle socket, int how);

    [LibraryImport(Library, EntryPoint = "socketpair", SetLastError = true)]
    public static partial int SocketPair(int domain, int type, int protocol, int* fds);

    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetSockOpt(SafeHandle socket, int level, int name, void* value, uint length);

    [LibraryImport(Library, EntryPoint = "getsockopt", SetLastError = true)]
    public static partial int GetSockOpt(SafeHandle socket, int level, int name, void* value, uint* length);

    [LibraryImport(Library, EntryPoint = "getpeername", SetLastError = true)]
    public static partial int GetPeerName(SafeHandle socket, void* address, uint* length);

    [LibraryImport(Library, EntryPoint = "getsockname", SetLastError = true)]
    public static partial int GetSockName(SafeHandle socket, void* address, uint* length);

    [LibraryImport(Library, EntryPoint = "poll", SetLastError = true)]
    public static partial int Poll(PollFd* fds, nuint count, int timeoutMilliseconds);

    [LibraryImport(Library, EntryPoint = "mmap", SetLastError = true)]
    public static partial nint Mmap(nint address, nuint length, int protection, int flags, SafeHandle file, long offset);

    [LibraryImport(Library, EntryPoint = "munmap", SetLastError = true)]
    public static partial int Munmap(nint address, nuint length);

    [LibraryImport(Library, EntryPoint = "pread64", SetLastError = true)]
    public static partial nint Pread(SafeHandle file, byte* buffer, nuint count, long offset);

    [LibraryImport(Library, EntryPoint = "pwrite64", SetLastError = true)]
    public static partial nint Pwrite(SafeHandle file, byte* buffer, nuint count, long offset);

    [LibraryImport(Library, EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(SafeHandle file, void* buffer, nuint count);

    [LibraryImport(Library, EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(SafeHandle file, void* buffer, nuint count);

    [LibraryImport(Library, EntryPoint = "preadv2", SetLastError = true)]
    public static partial nint Preadv2(SafeHandle file, IoVec* pieces, int count, long offset, int flags);

    [LibraryImport(Library, EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MemfdCreate(string name, uint flags);

    [LibraryImport(Library, EntryPoint = "ftruncate64", SetLastError = true)]
    public static partial int Ftruncate(SafeHandle file, long length);

    [LibraryImport(Library, EntryPoint = "eventfd", SetLastError = true)]
    public static partial int EventFd(uint initial, int flags);

    // variadic in C, which x86-64 and arm64 Linux pass like a plain call of three
    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    public static partial int Fcntl(SafeHandle file, int command, nint argument);

    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true)]
    public static partial int Statx(SafeHandle directory, byte* path, int flags, uint mask, byte* result);

    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Statx(int directory, string path, int flags, uint mask, byte* result);

    [LibraryImport(Library, EntryPoint = "fstatfs64", SetLastError = true)]
    public static partial int Fstatfs(SafeHandle file, byte* result);

    [LibraryImport(Library, EntryPoint = "clock_nanosleep")]
    public static partial int ClockNanosleep(int clock, int flags, in TimeSpec request, nint remain);

    public static Errno LastErrno => (Errno)Marshal.GetLastPInvokeError();

    public static IOException Failure(string call) => Failure(call, LastErrno);

    public static IOException Failure(string call, Errno errno) =>
        new($"{call} failed: {Marshal.GetPInvokeErrorMessage((int)errno)} ({errno})", (int)errno);

    /// <summary>Takes ownership of the descriptor that a system call returned; throws for -1.</summary>
    public static SafeFileHandle Own(int fd, string call) =>
        fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Failure(call);
}
