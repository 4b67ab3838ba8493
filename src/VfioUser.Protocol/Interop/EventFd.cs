using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>An eventfd: a counter in the kernel that one side adds to and the other one waits for.</summary>
/// <remarks>Any thread. Owns its descriptor. See <c>eventfd(2)</c>.</remarks>
public sealed unsafe class EventFd : IDisposable
{
    private readonly bool _mayBlock;

    /// <summary>Makes a new one with the counter at 0. It does not block.</summary>
    public EventFd()
        : this(Libc.Own(Libc.EventFd(0, Libc.EfdCloexec | Libc.EfdNonBlock), "eventfd"))
    {
    }

    /// <summary>Takes over a descriptor, usually one that a client sent.</summary>
    public EventFd(SafeFileHandle handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        Handle = handle;
        int flags = Libc.Fcntl(handle, Libc.FGetFl, 0);
        _mayBlock = flags >= 0 && (flags & Libc.ONonBlock) == 0;
    }

    /// <summary>The descriptor, to be borrowed.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>Adds one to the counter with one <c>write</c>.</summary>
    /// <returns>False when the counter is full, so that the reader has a wake-up pending anyway, or when this is no
    /// eventfd.</returns>
    public bool Signal()
    {
        // the client may have left it in blocking mode with a full counter, and a write would block for ever
        if (_mayBlock && !PollCalls.IsWritable(Handle))
            return false;
        ulong one = 1;
        while (true)
        {
            // SAFETY: eight bytes on this stack.
            if (Libc.Write(Handle, &one, sizeof(ulong)) == sizeof(ulong))
                return true;
            if (Libc.LastErrno != Errno.EINTR)
                return false;
        }
    }

    /// <summary>Reads the counter and sets it to 0, without waiting.</summary>
    /// <returns>The sum that was added since the last call; 0 when nothing was.</returns>
    public ulong Take()
    {
        if (_mayBlock && !PollCalls.WaitReadable(Handle, 0))
            return 0;
        ulong count = 0;
        while (true)
        {
            // SAFETY: eight bytes on this stack.
            if (Libc.Read(Handle, &count, sizeof(ulong)) == sizeof(ulong))
                return count;
            if (Libc.LastErrno is Errno errno and not Errno.EINTR)
                return errno == Errno.EAGAIN ? 0ul : throw Libc.Failure("read(eventfd)", errno);
        }
    }

    /// <summary>As <see cref="Take"/>, for an eventfd that the peer holds too, and may read first or switch to blocking mode.</summary>
    internal ulong TakeShared()
    {
        ulong count = 0;
        // SAFETY: eight bytes on this stack, described on this stack.
        Libc.IoVec piece = new() { Base = &count, Length = sizeof(ulong) };
        while (true)
        {
            // the peer can change the flags of the open file at any time, but not those of the call
            if (Libc.Preadv2(Handle, &piece, 1, -1, Libc.RwfNoWait) == sizeof(ulong))
                return count;
            switch (Libc.LastErrno)
            {
                case Errno.EINTR:
                    continue;
                case Errno.EAGAIN:
                    return 0;
                case Errno.EOPNOTSUPP: // before Linux 5.8
                    return PollCalls.WaitReadable(Handle, 0) ? Take() : 0;
                case Errno errno:
                    throw Libc.Failure("preadv2(eventfd)", errno);
            }
        }
    }

    /// <summary>Whether the counter is full, so that <see cref="Signal"/> fails.</summary>
    internal bool IsFull => !PollCalls.IsWritable(Handle);

    /// <summary>Waits until the counter is not 0.</summary>
    /// <returns>False on timeout.</returns>
    public bool Wait(TimeSpan timeout) => PollCalls.WaitReadable(Handle, (int)timeout.TotalMilliseconds);

    /// <summary>Closes the descriptor.</summary>
    public void Dispose() => Handle.Dispose();
}
