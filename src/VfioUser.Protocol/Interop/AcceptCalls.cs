using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Interop;

/// <summary>Accepts connections without blocking.</summary>
internal static unsafe partial class AcceptCalls
{
    // numbers of errno.h that no message of the protocol carries
    private const int TooManyFilesInSystem = 23;
    private const int ConnectionAborted = 103;
    private const int NoBufferSpace = 105;

    /// <summary>Takes the first connection of a listening socket's queue.</summary>
    /// <param name="listener">In non-blocking mode.</param>
    /// <param name="errno">EAGAIN when no client waits, or it has disconnected; EMFILE when descriptors or memory are short for now.</param>
    /// <returns>The connection, in blocking mode; null with <paramref name="errno"/> set.</returns>
    public static SafeSocketHandle? TryAccept(SafeSocketHandle listener, out Errno errno)
    {
        while (true)
        {
            // SAFETY: two null pointers: the peer's address is not asked for.
            int fd = Accept(listener, null, null, Libc.SockCloexec);
            errno = fd >= 0 ? Errno.None : Libc.LastErrno;
            if (fd >= 0)
                return new SafeSocketHandle(fd, ownsHandle: true);
            errno = (int)errno switch
            {
                ConnectionAborted => Errno.EAGAIN,
                TooManyFilesInSystem or NoBufferSpace or (int)Errno.ENOMEM => Errno.EMFILE,
                _ => errno,
            };
            if (errno != Errno.EINTR)
                return null;
        }
    }

    [LibraryImport(Libc.Library, EntryPoint = "accept4", SetLastError = true)]
    private static partial int Accept(SafeHandle listener, void* address, uint* length, int flags);
}
