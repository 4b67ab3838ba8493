using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>Messages that the socket has not accepted yet, with the descriptors of one of them.</summary>
/// <remarks>Any thread. Not bounded here: the owner handles no more commands while it is not empty.</remarks>
internal sealed class OutputBuffer : IDisposable
{
    private readonly Lock _gate = new();
    private byte[] _bytes = [];
    private int _start;
    private int _end;
    private int _piece; // bytes of the next send; 0 at the start of a message
    private int _fdsAt;
    private SafeHandle[] _fds = [];
    private volatile bool _isEmpty = true;

    public bool IsEmpty => _isEmpty;

    /// <summary>Appends messages, and references to descriptors, which belong to the first of these bytes.</summary>
    /// <param name="bytes">Messages; the first may have been sent in part, if the buffer is empty.</param>
    /// <param name="begun">How many of the bytes are left of a send that was not completed.</param>
    /// <param name="fds">Borrowed until they are sent.</param>
    public void Append(ReadOnlySpan<byte> bytes, int begun, ReadOnlySpan<SafeHandle> fds)
    {
        lock (_gate)
        {
            if (_isEmpty)
                _piece = begun;
            if (!fds.IsEmpty)
            {
                if (_fds.Length != 0)
                    throw new InvalidOperationException("The descriptors of an earlier message are not sent yet.");
                HoldFds(fds);
                _fdsAt = _end;
            }
            if (_bytes.Length - _end < bytes.Length)
                Array.Resize(ref _bytes, Math.Max(_end + bytes.Length, 2 * _bytes.Length));
            bytes.CopyTo(_bytes.AsSpan(_end));
            _end += bytes.Length;
            _isEmpty = _start == _end;
        }
    }

    /// <summary>Sends as much as possible without blocking.</summary>
    /// <param name="socket">Where to.</param>
    /// <param name="whole">Bytes that a send never splits.</param>
    /// <returns>None if nothing is left, EAGAIN if something is, or the errno of a failure, which clears the buffer.</returns>
    public Errno Send(SafeSocketHandle socket, int whole)
    {
        lock (_gate)
        {
            while (_start < _end)
            {
                bool carries = _fds.Length != 0 && _start == _fdsAt;
                int end = _fds.Length != 0 && !carries ? _fdsAt : _end;
                ReadOnlySpan<byte> messages = _bytes.AsSpan(_start, end - _start);
                if (_piece == 0)
                    _piece = carries ? SendPiece.First(messages) : SendPiece.Next(messages, whole);
                int sent = SocketCalls.Send(socket, messages[.._piece], default, carries ? _fds : [], Libc.MsgDontWait);
                if (sent <= 0)
                {
                    if ((Errno)(-sent) != Errno.EAGAIN)
                        Clear();
                    return (Errno)(-sent);
                }
                _start += sent;
                _piece -= sent;
                if (carries)
                    ReleaseFds();
            }
            Clear();
            return Errno.None;
        }
    }

    public void Dispose()
    {
        lock (_gate)
            Clear();
    }

    private void HoldFds(ReadOnlySpan<SafeHandle> fds)
    {
        SafeHandle[] held = fds.ToArray();
        int count = 0;
        try
        {
            for (; count < held.Length; count++)
            {
                bool added = false;
                held[count].DangerousAddRef(ref added);
            }
        }
        catch
        {
            while (count > 0)
                held[--count].DangerousRelease();
            throw;
        }
        _fds = held;
    }

    private void ReleaseFds()
    {
        foreach (SafeHandle fd in _fds)
            fd.DangerousRelease();
        _fds = [];
    }

    // also releases the array: a client that reads its replies does not need it again
    private void Clear()
    {
        ReleaseFds();
        _bytes = [];
        _start = _end = _piece = 0;
        _isEmpty = true;
    }
}
