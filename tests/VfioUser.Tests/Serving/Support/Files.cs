using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests.Serving;

/// <summary>Descriptors of all kinds, for clients to send.</summary>
internal static class Files
{
    /// <summary>Memory that cannot shrink, as QEMU sends it.</summary>
    public static SafeFileHandle Sealed(ulong length) => FileCalls.CreateMemory("vfio-user-test", length);

    /// <summary>Memory that its owner can take away again.</summary>
    public static SafeFileHandle Unsealed(long length)
    {
        SafeFileHandle file = new(Libc.MemfdCreate("vfio-user-test", Libc.MfdCloexec | Libc.MfdAllowSealing), ownsHandle: true);
        Libc.Ftruncate(file, length).Should().Be(0);
        return file;
    }

    public static SafeFileHandle DevNull() => File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite);

    /// <summary>An anonymous file of the kernel that is no eventfd: always readable, and to read it fails.</summary>
    /// <param name="ready">A descriptor that is readable.</param>
    public static SafeFileHandle Epoll(SafeFileHandle ready)
    {
        SafeFileHandle epoll = new(CreateEpoll(0), ownsHandle: true);
        EpollEvent readable = new((uint)Libc.PollIn, 0);
        ControlEpoll(epoll, 1, ready, readable).Should().Be(0);
        return epoll;
    }

    // packed on some machines only; with data of zero that makes no difference
    [StructLayout(LayoutKind.Sequential)]
    private record struct EpollEvent(uint Events, ulong Data);

    [DllImport("libc", EntryPoint = "epoll_create1")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int CreateEpoll(int flags);

    [DllImport("libc", EntryPoint = "epoll_ctl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ControlEpoll(SafeHandle epoll, int operation, SafeHandle file, in EpollEvent what);
}
