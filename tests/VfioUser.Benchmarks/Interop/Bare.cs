using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace VfioUser.Benchmarks;

/// <summary>The system calls and nothing around them: what the floor is made of.</summary>
internal static unsafe partial class Bare
{
    private const int MsgDontWait = 0x40;
    private const int MsgNoSignal = 0x4000;
    private const int MsgCmsgCloexec = 0x40000000;
    private const int Eagain = 11;

    [StructLayout(LayoutKind.Sequential)]
    private struct IoVec
    {
        public void* Base;
        public nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct MsgHdr
    {
        public void* Name;
        public uint NameLength;
        public IoVec* Iov;
        public nuint IovLength;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }

    public static int Receive(int socket, Span<byte> buffer, TimeSpan spin = default)
    {
        // SAFETY: the buffer is pinned for the call.
        fixed (byte* data = buffer)
        {
            IoVec iov = new() { Base = data, Length = (nuint)buffer.Length };
            MsgHdr message = new() { Iov = &iov, IovLength = 1 };
            if (spin > TimeSpan.Zero)
            {
                long start = System.Diagnostics.Stopwatch.GetTimestamp();
                do
                {
                    nint early = recvmsg(socket, &message, MsgDontWait);
                    if (early >= 0 || Marshal.GetLastPInvokeError() != Eagain)
                        return (int)early;
                }
                while (System.Diagnostics.Stopwatch.GetElapsedTime(start) < spin);
            }
            return (int)recvmsg(socket, &message, 0);
        }
    }

    public static int ReceiveWithFd(int socket, Span<byte> buffer, out int fd)
    {
        byte* control = stackalloc byte[24];
        // SAFETY: room for one descriptor: a header of 16 bytes and 4, aligned to 8.
        fixed (byte* data = buffer)
        {
            IoVec iov = new() { Base = data, Length = (nuint)buffer.Length };
            MsgHdr message = new() { Iov = &iov, IovLength = 1, Control = control, ControlLength = 24 };
            int received = (int)recvmsg(socket, &message, MsgCmsgCloexec);
            fd = message.ControlLength >= 20 ? *(int*)(control + 16) : -1;
            return received;
        }
    }

    public static void Send(int socket, ReadOnlySpan<byte> buffer, int fd = -1)
    {
        long* control = stackalloc long[3];
        control[0] = 20;
        *(int*)(control + 1) = 1;
        *((int*)(control + 1) + 1) = 1;
        *(int*)(control + 2) = fd;
        // SAFETY: the buffer is pinned; the control data is one SCM_RIGHTS message of one descriptor.
        fixed (byte* data = buffer)
        {
            int done = 0;
            while (done < buffer.Length)
            {
                IoVec iov = new() { Base = data + done, Length = (nuint)(buffer.Length - done) };
                MsgHdr message = new() { Iov = &iov, IovLength = 1 };
                if (fd >= 0 && done == 0)
                {
                    message.Control = control;
                    message.ControlLength = 24;
                }
                nint sent = sendmsg(socket, &message, MsgNoSignal);
                if (sent <= 0)
                    throw new IOException("sendmsg failed");
                done += (int)sent;
            }
        }
    }

    public static void ReceiveExactly(int socket, Span<byte> buffer, TimeSpan spin = default)
    {
        while (!buffer.IsEmpty)
        {
            int received = Receive(socket, buffer, spin);
            if (received <= 0)
                throw new EndOfStreamException();
            buffer = buffer[received..];
        }
    }

    public static void SignalEvent(int fd)
    {
        ulong one = 1;
        _ = write(fd, &one, 8);
    }

    public static void WaitEvent(int fd)
    {
        PollFd poll = new() { Fd = fd, Events = 1 };
        ulong count;
        while (Bare.poll(&poll, 1, -1) != 1 || read(fd, &count, 8) != 8)
        {
        }
    }

    public static nint Map(int fd, int length) => mmap(0, (nuint)length, 3, 1, fd, 0);

    public static void Unmap(nint address, int length) => _ = munmap(address, (nuint)length);

    public static void Close(int fd) => _ = close(fd);

    /// <summary>Keeps the calling thread on a core.</summary>
    public static void Pin(int core)
    {
        ulong mask = 1ul << core;
        if (sched_setaffinity(0, sizeof(ulong), &mask) != 0)
            throw new IOException("sched_setaffinity failed");
    }

    /// <summary>Lets other processes that want the calling thread's core have it first, whether this one has a real-time priority or
    /// none.</summary>
    public static void StepBack()
    {
        int lowest = 1;
        // only one of the two has an effect
        _ = nice(10);
        _ = sched_setparam(0, &lowest);
    }

    public static int Raw(SafeSocketHandle socket) => (int)socket.DangerousGetHandle();

    [StructLayout(LayoutKind.Sequential)]
    private struct PollFd
    {
        public int Fd;
        public short Events;
        public short Revents;
    }

#pragma warning disable IDE1006, SYSLIB1054, CA5392 // named as in libc
    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvmsg(int socket, MsgHdr* message, int flags);

    [LibraryImport("libc")]
    private static partial nint sendmsg(int socket, MsgHdr* message, int flags);

    [LibraryImport("libc")]
    private static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport("libc")]
    private static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport("libc")]
    private static partial int poll(PollFd* fds, nuint count, int timeout);

    [LibraryImport("libc")]
    private static partial nint mmap(nint address, nuint length, int protection, int flags, int fd, long offset);

    [LibraryImport("libc")]
    private static partial int munmap(nint address, nuint length);

    [LibraryImport("libc")]
    private static partial int sched_setaffinity(int thread, nuint size, ulong* mask);

    [LibraryImport("libc")]
    private static partial int nice(int increment);

    [LibraryImport("libc")]
    private static partial int sched_setparam(int thread, int* priority);

    [LibraryImport("libc")]
    private static partial int close(int fd);
#pragma warning restore IDE1006, SYSLIB1054, CA5392
}
