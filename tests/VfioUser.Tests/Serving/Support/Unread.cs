using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace VfioUser.Tests.Serving;

/// <summary>What a peer has not received yet.</summary>
internal static class Unread
{
    private const nuint OutputQueue = 0x5411; // SIOCOUTQ

    /// <summary>Bytes in the kernel that were sent on a socket; what takes place in the kernel counts, too.</summary>
    public static int Of(SafeSocketHandle socket) =>
        Ioctl(socket, OutputQueue, out int bytes) == 0 ? bytes : throw new Win32Exception(Marshal.GetLastPInvokeError());

    [DllImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Ioctl(SafeSocketHandle socket, nuint request, out int value);
}
