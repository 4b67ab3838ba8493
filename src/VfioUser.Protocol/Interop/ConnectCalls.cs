using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace VfioUser.Protocol.Interop;

/// <summary>Connecting to a listening socket of AF_UNIX without waiting for ever: while its queue is full, a connect does.</summary>
internal static unsafe partial class ConnectCalls
{
    // sockaddr_un: the family, and a path with its NUL, or a NUL and a name
    private const int MaxAddress = PathOffset + MaxPath;
    private const int PathOffset = sizeof(ushort);
    private const int MaxPath = 108;

    // of errno.h, what no message of the protocol ever says
    private const int NoSuchFile = 2;
    private const int QueueFull = (int)Errno.EAGAIN;

    private const int SoSndTimeo = 21;

    // how often a token is asked while a connect waits in the kernel
    private const int LongestTick = 100;

    /// <summary>Connects.</summary>
    /// <param name="address">A path, or <c>@name</c> for a name in the abstract namespace.</param>
    /// <param name="patience">How long to wait for room in the queue of a server that accepts nobody. It is tried once in any case.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>Connected, and in blocking mode.</returns>
    /// <exception cref="ArgumentException">It is no address: empty, or too long.</exception>
    /// <exception cref="IOException">Nobody listens there, or the queue stayed full; <see cref="Exception.HResult"/> is the errno.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static SafeSocketHandle Connect(string address, TimeSpan patience, CancellationToken cancellation = default)
    {
        Span<byte> bytes = stackalloc byte[MaxAddress];
        bytes = bytes[..Write(address, bytes)];
        Deadline deadline = Deadline.After(patience);
        SafeSocketHandle socket = New();
        try
        {
            while (true)
            {
                cancellation.ThrowIfCancellationRequested();
                TimeSpan left = deadline.Left;
                SetSendTimeout(socket, Math.Clamp((int)left.TotalMilliseconds, 1, LongestTick));
                int errno = TryConnect(socket, bytes);
                if (errno == 0)
                {
                    SetSendTimeout(socket, 0);
                    return socket;
                }
                if (errno is not (QueueFull or (int)Errno.EINTR))
                    throw Failure(address, errno, errno == NoSuchFile ? "no such file" : Marshal.GetPInvokeErrorMessage(errno));
                if (errno == QueueFull && left <= TimeSpan.Zero)
                    throw Failure(address, errno, $"its queue is full, and nobody was accepted within {patience.TotalSeconds} seconds");
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
        // a path has its NUL, and a name of the abstract namespace ends with the address
        return PathOffset + length + (isAbstract ? 0 : 1);
    }

    private static IOException Failure(string address, int errno, string why) => new($"Cannot connect to '{address}': {why}.", errno);

    private static SafeSocketHandle New()
    {
        int fd = Socket(Libc.AfUnix, Libc.SockStream | Libc.SockCloexec, 0);
        return fd >= 0 ? new SafeSocketHandle(fd, ownsHandle: true) : throw Libc.Failure("socket");
    }

    private static int TryConnect(SafeSocketHandle socket, ReadOnlySpan<byte> address)
    {
        // SAFETY: the address is pinned for the whole call, and its length is its own.
        fixed (byte* bytes = address)
            return Connect(socket, bytes, (uint)address.Length) == 0 ? 0 : (int)Libc.LastErrno;
    }

    // it bounds the wait for room in the queue, too; 0 is for ever
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
