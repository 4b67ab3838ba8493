using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace VfioUser.Protocol.Interop;

/// <summary>Connects to a listening AF_UNIX socket with a timeout: a plain connect blocks while the queue is full.</summary>
internal static unsafe partial class ConnectCalls
{
    // sockaddr_un: the family, then a path and a NUL, or a NUL and an abstract name
    private const int MaxAddress = PathOffset + MaxPath;
    private const int PathOffset = sizeof(ushort);
    private const int MaxPath = 108;

    // numbers of errno.h that no message of the protocol carries
    private const int NoSuchFile = 2;
    private const int QueueFull = (int)Errno.EAGAIN;

    private const int SoSndTimeo = 21;

    // the kernel knows no cancellation tokens, so a connect waits in slices of this length
    private const int MaxWaitMilliseconds = 100;

    /// <summary>Connects.</summary>
    /// <param name="address">A path, or <c>@name</c> for a name in the abstract namespace.</param>
    /// <param name="timeout">How long to wait for room in the queue of a server that accepts nobody. One try is made in any case.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>Connected, and in blocking mode.</returns>
    /// <exception cref="ArgumentException">The address is empty or too long.</exception>
    /// <exception cref="IOException">No server listens there, or its queue stayed full; <see cref="Exception.HResult"/> is the errno.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static SafeSocketHandle Connect(string address, TimeSpan timeout, CancellationToken cancellation = default)
    {
        Span<byte> bytes = stackalloc byte[MaxAddress];
        bytes = bytes[..Write(address, bytes)];
        Deadline deadline = Deadline.After(timeout);
        SafeSocketHandle socket = New();
        try
        {
            while (true)
            {
                cancellation.ThrowIfCancellationRequested();
                TimeSpan left = deadline.Left;
                SetSendTimeout(socket, Math.Clamp((int)left.TotalMilliseconds, 1, MaxWaitMilliseconds));
                int errno = TryConnect(socket, bytes);
                if (errno == 0)
                {
                    SetSendTimeout(socket, 0);
                    return socket;
                }
                if (errno is not (QueueFull or (int)Errno.EINTR))
                    throw Failure(address, errno, Explain(address, errno));
                if (errno == QueueFull && left <= TimeSpan.Zero)
                    throw Failure(address, errno, $"its queue is full, and nobody was accepted within {timeout.TotalSeconds} seconds");
            }
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static int Write(string address, Span<byte> bytes)
    {
        ArgumentException.ThrowIfNullOrEmpty(address);
        bool isAbstract = address[0] == '@';
        if (Encoding.UTF8.GetByteCount(address) >= MaxPath)
            throw new ArgumentException($"'{address}' is too long for a socket's path.", nameof(address));
        bytes.Clear();
        MemoryMarshal.Write(bytes, (ushort)Libc.AfUnix);
        int length = Encoding.UTF8.GetBytes(address, bytes[PathOffset..]);
        if (isAbstract)
            bytes[PathOffset] = 0;
        // a path ends with a NUL; an abstract name ends where the address ends
        return PathOffset + length + (isAbstract ? 0 : 1);
    }

    private static string Explain(string address, int errno) => errno switch
    {
        NoSuchFile => "no such file",
        (int)Errno.ECONNREFUSED when Directory.Exists(address) => "it is a folder, not a socket",
        (int)Errno.ECONNREFUSED => "no server listens there",
        _ => Marshal.GetPInvokeErrorMessage(errno),
    };

    private static IOException Failure(string address, int errno, string why) => new($"Cannot connect to '{address}': {why}.", errno);

    private static SafeSocketHandle New()
    {
        int fd = Socket(Libc.AfUnix, Libc.SockStream | Libc.SockCloexec, 0);
        return fd >= 0 ? new SafeSocketHandle(fd, ownsHandle: true) : throw Libc.Failure("socket");
    }

    private static int TryConnect(SafeSocketHandle socket, ReadOnlySpan<byte> address)
    {
        // SAFETY: the address is pinned for the whole call, and the length is the span's.
        fixed (byte* bytes = address)
            return Connect(socket, bytes, (uint)address.Length) == 0 ? 0 : (int)Libc.LastErrno;
    }

    // SO_SNDTIMEO bounds a connect's wait for room in the queue, too; 0 means for ever
    private static void SetSendTimeout(SafeSocketHandle socket, int milliseconds)
    {
        long* timeval = stackalloc long[2];
        timeval[0] = milliseconds / 1000;
        timeval[1] = milliseconds % 1000 * 1000L;
        // SAFETY: a timeval is two longs on 64-bit Linux.
        if (Libc.SetSockOpt(socket, Libc.SolSocket, SoSndTimeo, timeval, 2 * sizeof(long)) != 0)
            throw Libc.Failure("setsockopt(SO_SNDTIMEO)");
    }

    [LibraryImport(Libc.Library, EntryPoint = "socket", SetLastError = true)]
    private static partial int Socket(int domain, int type, int protocol);

    [LibraryImport(Libc.Library, EntryPoint = "connect", SetLastError = true)]
    private static partial int Connect(SafeHandle socket, void* address, uint length);
}
