using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Interop;

/// <summary>Waiting for one descriptor.</summary>
internal static unsafe class PollCalls
{
    /// <summary>Whether a write would not block, or fail at once, after waiting for at most <paramref name="timeoutMilliseconds"/>.</summary>
    public static bool WaitWritable(SafeHandle file, int timeoutMilliseconds) => Poll(file, Libc.PollOut, timeoutMilliseconds) != 0;

    /// <summary>Whether a read would not block, after waiting for at most <paramref name="timeoutMilliseconds"/>.</summary>
    public static bool WaitReadable(SafeHandle file, int timeoutMilliseconds) => Poll(file, Libc.PollIn, timeoutMilliseconds) != 0;

    /// <summary>Whether a write would not block. An error alone is none: an eventfd whose counter has run over blocks.</summary>
    public static bool IsWritable(SafeHandle file) => (Poll(file, Libc.PollOut, 0) & Libc.PollOut) != 0;

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
