using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Interop;

/// <summary>Waits for the first of several descriptors. One thread; holds a reference to each until it is disposed.</summary>
internal sealed unsafe class PollSet : IDisposable
{
    private readonly SafeHandle[] _files;
    private readonly Libc.PollFd[] _fds;
    private int _held;

    /// <summary>A set of borrowed descriptors.</summary>
    /// <exception cref="ObjectDisposedException">One is closed.</exception>
    public PollSet(ReadOnlySpan<SafeHandle> files)
    {
        _files = files.ToArray();
        _fds = new Libc.PollFd[files.Length];
        try
        {
            for (; _held < _files.Length; _held++)
            {
                bool added = false;
                _files[_held].DangerousAddRef(ref added);
                _fds[_held] = new Libc.PollFd { Fd = (int)_files[_held].DangerousGetHandle(), Events = Libc.PollIn };
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Waits until one can be read.</summary>
    /// <param name="timeoutMilliseconds">0 to return at once, -1 to wait for ever.</param>
    /// <returns>False on timeout.</returns>
    public bool Wait(int timeoutMilliseconds)
    {
        fixed (Libc.PollFd* fds = _fds)
        {
            while (true)
            {
                // SAFETY: the array is pinned, and the count is its length.
                int ready = Libc.Poll(fds, (nuint)_fds.Length, timeoutMilliseconds);
                if (ready >= 0)
                    return ready > 0;
                if (Libc.LastErrno != Errno.EINTR)
                    throw Libc.Failure("poll");
            }
        }
    }

    /// <summary>Whether the last wait found the descriptor at this index ready.</summary>
    public bool IsReady(int index) => _fds[index].Revents != 0;

    /// <summary>Releases the descriptors.</summary>
    public void Dispose()
    {
        for (; _held > 0; _held--)
            _files[_held - 1].DangerousRelease();
    }
}
