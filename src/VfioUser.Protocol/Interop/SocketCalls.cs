using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Interop;

/// <summary>One receive or send each, EINTR handled, on a stream socket of AF_UNIX.</summary>
internal static unsafe class SocketCalls
{
    // reading the clock costs a tenth of a receive
    private const int TriesPerClockRead = 8;

    /// <summary>One <c>recvmsg</c>.</summary>
    /// <returns>Bytes received; 0 at the end of the stream; a negated errno when it failed.</returns>
    [SkipLocalsInit]
    public static int Receive(SafeSocketHandle socket, Span<byte> buffer, int flags, ref FdList? fds, out bool truncated)
    {
        byte* control = stackalloc byte[ControlMessage.Space(ControlMessage.MaxReceived)];
        // SAFETY: buffer is pinned and control is on this stack for the whole call; both lengths are right.
        fixed (byte* data = buffer)
        {
            Libc.IoVec iov = new() { Base = data, Length = (nuint)buffer.Length };
            while (true)
            {
                Libc.MsgHdr message = new()
                {
                    Iov = &iov,
                    IovLength = 1,
                    Control = control,
                    ControlLength = (nuint)ControlMessage.Space(ControlMessage.MaxReceived),
                };
                nint received = Libc.RecvMsg(socket, &message, flags | Libc.MsgCmsgCloexec);
                if (received >= 0)
                {
                    truncated = (message.Flags & Libc.MsgCtrunc) != 0;
                    if (message.ControlLength != 0)
                        ControlMessage.TakeFds(new ReadOnlySpan<byte>(control, (int)message.ControlLength), ref fds);
                    return (int)received;
                }
                Errno errno = Libc.LastErrno;
                if (errno != Errno.EINTR)
                {
                    truncated = false;
                    return -(int)errno;
                }
            }
        }
    }

    /// <summary>As <see cref="Receive"/>, but never blocks: retries for <paramref name="spinTicks"/>, then fails with EAGAIN.</summary>
    /// <remarks><paramref name="start"/> is when the first tries had failed; without that, the clock is not read.</remarks>
    [SkipLocalsInit]
    public static int ReceiveSpinning(SafeSocketHandle socket, Span<byte> buffer, long spinTicks, ref FdList? fds, out bool truncated, out long start)
    {
        start = 0;
        byte* control = stackalloc byte[ControlMessage.Space(ControlMessage.MaxReceived)];
        bool held = false;
        try
        {
            socket.DangerousAddRef(ref held);
            int fd = (int)socket.DangerousGetHandle();
            // SAFETY: buffer is pinned and control is on this stack for the whole loop; the reference keeps fd from being closed and reused.
            fixed (byte* data = buffer)
            {
                Libc.IoVec iov = new() { Base = data, Length = (nuint)buffer.Length };
                Libc.MsgHdr message = new() { Iov = &iov, IovLength = 1, Control = control };
                int tries = 0;
                while (true)
                {
                    message.ControlLength = (nuint)ControlMessage.Space(ControlMessage.MaxReceived);
                    nint received = Libc.RecvMsgNow(fd, &message, Libc.MsgDontWait | Libc.MsgCmsgCloexec);
                    if (received >= 0)
                    {
                        truncated = (message.Flags & Libc.MsgCtrunc) != 0;
                        if (message.ControlLength != 0)
                            ControlMessage.TakeFds(new ReadOnlySpan<byte>(control, (int)message.ControlLength), ref fds);
                        return (int)received;
                    }
                    Errno errno = (Errno)Marshal.GetLastSystemError();
                    if (errno is not (Errno.EAGAIN or Errno.EINTR))
                    {
                        truncated = false;
                        return -(int)errno;
                    }
                    if (++tries % TriesPerClockRead != 0)
                        continue;
                    long now = Stopwatch.GetTimestamp();
                    if (start == 0)
                        start = now;
                    else if (now - start >= spinTicks)
                        break;
                }
            }
        }
        finally
        {
            if (held)
                socket.DangerousRelease();
        }
        truncated = false;
        return -(int)Errno.EAGAIN;
    }

    /// <summary>One <c>send</c>: cheaper than <c>sendmsg</c>, whose structures the kernel copies and checks first.</summary>
    /// <param name="socket">A number that the caller keeps open: taking a reference for every reply is measurable.</param>
    /// <param name="bytes">What to send.</param>
    /// <param name="flags">MSG_NOSIGNAL is added.</param>
    /// <returns>Bytes sent, maybe less than all, or a negated errno.</returns>
    public static int Send(int socket, ReadOnlySpan<byte> bytes, int flags)
    {
        // SAFETY: bytes is pinned for the whole call, and the length is the span's.
        fixed (byte* data = bytes)
        {
            while (true)
            {
                nint sent = Libc.Send(socket, data, (nuint)bytes.Length, flags | Libc.MsgNoSignal);
                if (sent >= 0)
                    return (int)sent;
                Errno errno = Libc.LastErrno;
                if (errno != Errno.EINTR)
                    return -(int)errno;
            }
        }
    }

    /// <summary>One <c>sendmsg</c> of up to two pieces; it may take less than all.</summary>
    /// <returns>Bytes sent, or a negated errno.</returns>
    public static int Send(SafeSocketHandle socket, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<SafeHandle> fds, int flags)
    {
        int space = ControlMessage.Space(fds.Length);
        Span<byte> control = stackalloc byte[space];
        Span<int> raw = stackalloc int[fds.Length];
        int held = 0;
        try
        {
            // a reference on each keeps it from being closed before the call is over
            for (; held < fds.Length; held++)
            {
                bool added = false;
                fds[held].DangerousAddRef(ref added);
                raw[held] = (int)fds[held].DangerousGetHandle();
            }
            if (space != 0)
                ControlMessage.PutFds(control, raw);
            return Send(socket, first, second, control, flags);
        }
        finally
        {
            while (held > 0)
                fds[--held].DangerousRelease();
        }
    }

    private static int Send(SafeSocketHandle socket, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> control, int flags)
    {
        Libc.IoVec* iov = stackalloc Libc.IoVec[2];
        // SAFETY: the three spans are pinned for the whole call, and each length is that of its span.
        fixed (byte* start = first, rest = second, ancillary = control)
        {
            iov[0] = new Libc.IoVec { Base = start, Length = (nuint)first.Length };
            iov[1] = new Libc.IoVec { Base = rest, Length = (nuint)second.Length };
            while (true)
            {
                Libc.MsgHdr message = new()
                {
                    Iov = iov,
                    IovLength = second.IsEmpty ? 1u : 2u,
                    Control = ancillary,
                    ControlLength = (nuint)control.Length,
                };
                nint sent = Libc.SendMsg(socket, &message, flags | Libc.MsgNoSignal);
                if (sent >= 0)
                    return (int)sent;
                Errno errno = Libc.LastErrno;
                if (errno != Errno.EINTR)
                    return -(int)errno;
            }
        }
    }

    public static (SafeSocketHandle First, SafeSocketHandle Second) CreatePair()
    {
        int* fds = stackalloc int[2];
        // SAFETY: socketpair writes exactly two descriptors.
        if (Libc.SocketPair(Libc.AfUnix, Libc.SockStream | Libc.SockCloexec, 0, fds) != 0)
            throw Libc.Failure("socketpair");
        return (new SafeSocketHandle(fds[0], ownsHandle: true), new SafeSocketHandle(fds[1], ownsHandle: true));
    }

    /// <summary>One more descriptor of the same socket.</summary>
    public static SafeSocketHandle Duplicate(SafeHandle socket)
    {
        int fd = Libc.Fcntl(socket, Libc.FDupFdCloexec, 0);
        return fd >= 0 ? new SafeSocketHandle(fd, ownsHandle: true) : throw Libc.Failure("fcntl(F_DUPFD_CLOEXEC)");
    }

    /// <summary>Makes blocking receives fail with EAGAIN after this long, so that the caller can check a deadline of its own.</summary>
    public static void SetReceiveTimeout(SafeSocketHandle socket, TimeSpan timeout)
    {
        long* timeval = stackalloc long[2];
        timeval[0] = (long)timeout.TotalSeconds;
        timeval[1] = timeout.Ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond;
        // SAFETY: a timeval is two longs on 64-bit Linux.
        if (Libc.SetSockOpt(socket, Libc.SolSocket, Libc.SoRcvTimeo, timeval, 2 * sizeof(long)) != 0)
            throw Libc.Failure("setsockopt(SO_RCVTIMEO)");
    }

    /// <summary>Switches the socket to blocking mode: .NET leaves one that was connected asynchronously in non-blocking mode.</summary>
    public static void SetBlocking(SafeSocketHandle socket)
    {
        int flags = Libc.Fcntl(socket, Libc.FGetFl, 0);
        if (flags >= 0 && (flags & Libc.ONonBlock) != 0)
            _ = Libc.Fcntl(socket, Libc.FSetFl, flags & ~Libc.ONonBlock);
    }

    /// <summary>Whether a descriptor is a connected stream socket.</summary>
    public static bool IsConnectedStream(SafeHandle descriptor)
    {
        int type = 0;
        uint length = sizeof(int);
        int* address = stackalloc int[32];
        uint addressLength = 32 * sizeof(int);
        // SAFETY: the option is one int, and a socket's address never has more than 128 bytes.
        return Libc.GetSockOpt(descriptor, Libc.SolSocket, Libc.SoType, &type, &length) == 0 && type == Libc.SockStream
            && Libc.GetPeerName(descriptor, address, &addressLength) == 0;
    }

    /// <summary>Asks for larger buffers; the kernel grants up to its limit, and less is no error.</summary>
    public static void SetBufferSize(SafeSocketHandle socket, int bytes)
    {
        // SAFETY: both options take one int.
        _ = Libc.SetSockOpt(socket, Libc.SolSocket, Libc.SoSndBuf, &bytes, sizeof(int));
        _ = Libc.SetSockOpt(socket, Libc.SolSocket, Libc.SoRcvBuf, &bytes, sizeof(int));
    }

    /// <summary>Size of the send buffer that the kernel granted, its overhead included; 0 if it is no socket.</summary>
    public static int SendBufferSize(SafeSocketHandle socket)
    {
        int bytes = 0;
        uint length = sizeof(int);
        // SAFETY: the option is one int.
        _ = Libc.GetSockOpt(socket, Libc.SolSocket, Libc.SoSndBuf, &bytes, &length);
        return bytes;
    }

    /// <summary>Process, user and group of the peer, as they were when it connected.</summary>
    public static (int ProcessId, uint UserId, uint GroupId) PeerCredentials(SafeSocketHandle socket)
    {
        int* ucred = stackalloc int[3];
        uint length = 3 * sizeof(int);
        // SAFETY: a ucred is three ints.
        if (Libc.GetSockOpt(socket, Libc.SolSocket, Libc.SoPeerCred, ucred, &length) != 0)
            throw Libc.Failure("getsockopt(SO_PEERCRED)");
        return (ucred[0], (uint)ucred[1], (uint)ucred[2]);
    }

    /// <summary>Shuts down both directions, which also wakes a thread that is blocked in a receive.</summary>
    public static void Shutdown(SafeSocketHandle socket)
    {
        // it fails when the peer has disconnected, or when this is no socket: either way nothing is left to shut down
        _ = Libc.Shutdown(socket, Libc.ShutRdWr);
    }
}
