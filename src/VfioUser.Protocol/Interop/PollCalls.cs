using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Interop;

/// <summary>Waits for one or two descriptors with <c>poll(2)</c>.</summary>
internal static unsafe class PollCalls
{
    /// <summary>Waits until a write would not block. True also if it would fail at once; false on timeout.</summary>
    public static bool WaitWritable(SafeHandle file, int timeoutMilliseconds) => Poll(file, Libc.PollOut, timeoutMilliseconds) != 0;

    /// <summary>Waits until a read would not block. False on timeout.</summary>
    public static bool WaitReadable(SafeHandle file, int timeoutMilliseconds) => Poll(file, Libc.PollIn, timeoutMilliseconds) != 0;

    /// <summary>Whether a write would not block. POLLERR alone does not count: an eventfd whose counter has overflowed blocks.</summary>
    public static bool IsWritable(SafeHandle file) => (Poll(file, Libc.PollOut, 0) & Libc.PollOut) != 0;

    /// <summary>Waits until one of two can be read. True if only the first can; false if the second can.</summary>
    public static bool WaitForFirst(SafeHandle first, SafeHandle second)
    {
        bool firstAdded = false;
        bool secondAdded = false;
        try
        {
            first.DangerousAddRef(ref firstAdded);
            second.DangerousAddRef(ref secondAdded);
            Libc.PollFd* fds = stackalloc Libc.PollFd[2];
            fds[0] = new Libc.PollFd { Fd = (int)first.DangerousGetHandle(), Events = Libc.PollIn };
            fds[1] = new Libc.PollFd { Fd = (int)second.DangerousGetHandle(), Events = Libc.PollIn };
            // SAFETY: two pollfds on this stack.
            while (Libc.Poll(fds, 2, Timeout.Infinite) < 0)
            {
                if (Libc.LastErrno != Errno.EINTR)
                    throw Libc.Failure("poll");
            }
            return fds[1].Revents == 0;
        }
        finally
        {
            if (secondAdded)
                second.DangerousRelease();
            if (firstAdded)
                first.DangerousRelease();
        }
    }

    /// <summary>Waits until one of two can be read, or the timeout is over.</summary>
    /// <param name="first">Waited for in any case.</param>
    /// <param name="second">Null to wait for the other one alone.</param>
    /// <param name="timeoutMilliseconds">-1 to wait for ever.</param>
    public static void WaitForEither(SafeHandle first, SafeHandle? second, int timeoutMilliseconds)
    {
        bool firstAdded = false;
        bool secondAdded = false;
        try
        {
            first.DangerousAddRef(ref firstAdded);
            second?.DangerousAddRef(ref secondAdded);
            Libc.PollFd* fds = stackalloc Libc.PollFd[2];
            fds[0] = new Libc.PollFd { Fd = (int)first.DangerousGetHandle(), Events = Libc.PollIn };
            // a negative descriptor is skipped
            fds[1] = new Libc.PollFd { Fd = (int)(second?.DangerousGetHandle() ?? -1), Events = Libc.PollIn };
            // SAFETY: two pollfds on this stack.
            if (Libc.Poll(fds, 2, timeoutMilliseconds) < 0 && Libc.LastErrno != Errno.EINTR)
                throw Libc.Failure("poll");
        }
        finally
        {
            if (secondAdded)
                second!.DangerousRelease();
            if (firstAdded)
                first.DangerousRelease();
        }
    }

    /// <summary>Waits until a socket can be received from, or sent to if that is asked for, or another descriptor can be read.</summary>
    /// <param name="socket">An error or the end of it counts as something to be received.</param>
    /// <param name="sends">Whether to wait for room to send, too.</param>
    /// <param name="wake">Ends the wait when it can be read.</param>
    /// <param name="timeoutMilliseconds">-1 to wait for ever.</param>
    /// <returns>None on timeout.</returns>
    public static SocketReadiness WaitForSocket(SafeHandle socket, bool sends, SafeHandle wake, int timeoutMilliseconds)
    {
        bool socketAdded = false;
        bool wakeAdded = false;
        try
        {
            socket.DangerousAddRef(ref socketAdded);
            wake.DangerousAddRef(ref wakeAdded);
            Libc.PollFd* fds = stackalloc Libc.PollFd[2];
            fds[0] = new Libc.PollFd { Fd = (int)socket.DangerousGetHandle(), Events = (short)(Libc.PollIn | (sends ? Libc.PollOut : 0)) };
            fds[1] = new Libc.PollFd { Fd = (int)wake.DangerousGetHandle(), Events = Libc.PollIn };
            // SAFETY: two pollfds on this stack.
            while (Libc.Poll(fds, 2, timeoutMilliseconds) < 0)
            {
                if (Libc.LastErrno != Errno.EINTR)
                    throw Libc.Failure("poll");
            }
            return ((fds[0].Revents & ~Libc.PollOut) != 0 ? SocketReadiness.Receive : SocketReadiness.None)
                | ((fds[0].Revents & Libc.PollOut) != 0 ? SocketReadiness.Send : SocketReadiness.None)
                | (fds[1].Revents != 0 ? SocketReadiness.Wake : SocketReadiness.None);
        }
        finally
        {
            if (wakeAdded)
                wake.DangerousRelease();
            if (socketAdded)
                socket.DangerousRelease();
        }
    }

    /// <summary>Whether the peer of a socket has closed it, or it was shut down here. A peer that shut down only its sending has not.</summary>
    public static bool HasHungUp(SafeHandle socket) => (Poll(socket, 0, 0) & Libc.PollHup) != 0;

    /// <summary>Waits until a descriptor can be read, or the peer of a socket hangs up; data from the peer does not end the wait.</summary>
    /// <param name="file">To be read.</param>
    /// <param name="socket">Null to wait for the other one alone.</param>
    /// <param name="timeoutMilliseconds">-1 to wait for ever.</param>
    /// <returns>False on timeout.</returns>
    public static bool WaitForReadOrHangUp(SafeHandle file, SafeHandle? socket, int timeoutMilliseconds)
    {
        bool fileAdded = false;
        bool socketAdded = false;
        try
        {
            file.DangerousAddRef(ref fileAdded);
            socket?.DangerousAddRef(ref socketAdded);
            Libc.PollFd* fds = stackalloc Libc.PollFd[2];
            fds[0] = new Libc.PollFd { Fd = (int)file.DangerousGetHandle(), Events = Libc.PollIn };
            // a negative descriptor is skipped; POLLHUP is reported without being asked for
            fds[1] = new Libc.PollFd { Fd = (int)(socket?.DangerousGetHandle() ?? -1) };
            while (true)
            {
                // SAFETY: two pollfds on this stack.
                int ready = Libc.Poll(fds, 2, timeoutMilliseconds);
                if (ready >= 0)
                    return ready > 0;
                if (Libc.LastErrno != Errno.EINTR)
                    throw Libc.Failure("poll");
            }
        }
        finally
        {
            if (socketAdded)
                socket!.DangerousRelease();
            if (fileAdded)
                file.DangerousRelease();
        }
    }

    /// <summary>Waits without a timeout until the reader of a pipe is gone, or a terminal is closed.</summary>
    /// <returns>False for a file that cannot be waited for.</returns>
    public static bool WaitForHangUp(SafeHandle file) => (Poll(file, 0, Timeout.Infinite) & (Libc.PollErr | Libc.PollHup)) != 0;

    private static short Poll(SafeHandle file, short events, int timeoutMilliseconds)
    {
        bool added = false;
        file.DangerousAddRef(ref added);
        try
        {
            Libc.PollFd fd = new() { Fd = (int)file.DangerousGetHandle(), Events = events };
            while (true)
            {
                // SAFETY: one pollfd on this stack.
                int ready = Libc.Poll(&fd, 1, timeoutMilliseconds);
                if (ready >= 0)
                    return ready > 0 ? fd.Revents : (short)0;
                if (Libc.LastErrno != Errno.EINTR)
                    throw Libc.Failure("poll");
            }
        }
        finally
        {
            file.DangerousRelease();
        }
    }
}
