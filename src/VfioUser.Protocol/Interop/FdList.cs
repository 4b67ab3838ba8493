using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>The descriptors that came with a message. It owns them: those that are not taken are closed with the message.</summary>
/// <remarks>One thread at a time: the one that handles the message.</remarks>
public sealed class FdList : IDisposable
{
    private readonly List<SafeFileHandle?> _fds = [];

    /// <summary>How many descriptors came, taken or not.</summary>
    public int Count => _fds.Count;

    /// <summary>Hands over the descriptor at <paramref name="index"/>; the caller owns it from now on.</summary>
    /// <param name="index">From 0 to <see cref="Count"/> - 1, in the order in which the peer sent them.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such descriptor.</exception>
    /// <exception cref="InvalidOperationException">It has been taken before.</exception>
    public SafeFileHandle Take(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, _fds.Count);
        SafeFileHandle fd = _fds[index] ?? throw new InvalidOperationException($"Descriptor {index} has been taken before.");
        _fds[index] = null;
        return fd;
    }

    /// <summary>Closes every descriptor that was not taken.</summary>
    public void Dispose()
    {
        foreach (SafeFileHandle? fd in _fds)
            fd?.Dispose();
        _fds.Clear();
    }

    internal void Add(SafeFileHandle fd) => _fds.Add(fd);

    /// <summary>Takes over the descriptors of <paramref name="other"/>: those of one message may come in several receives.</summary>
    internal void Append(FdList other)
    {
        _fds.AddRange(other._fds);
        other._fds.Clear();
    }

    /// <summary>Whether the descriptor is an eventfd; it must not have been taken.</summary>
    internal bool IsEventFd(int index) => FileCalls.IsEventFd(_fds[index]!);
}
