using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>What did not fit into a socket yet, with the descriptors of one message in there.</summary>
/// <remarks>Any thread. Its owner bounds it: it stops making more while something is here.</remarks>
/// <param name="whole">Bytes that one send never cuts.</param>
internal sealed class OutputBuffer(int whole) : IDisposable
{
    private readonly Lock _gate = new();
    private byte[] _bytes = [];
    private int _start;
    private int _end;
    private int _piece; // bytes from the start that the next send takes; 0 at the beginning of a message
    private int _fdsAt;
    private SafeHandle[] _fds = [];
    private volatile bool _isEmpty = true;

    public bool IsEmpty => _isEmpty;

    /// <summary>Keeps bytes, and a reference on each of the descriptors, which go with the first of these bytes.</summary>
    /// <param name="bytes">Messages, the first of which may have been sent in part.</param>
    /// <param name="begun">How many of the bytes belong to what was begun and not sent whole; nothing else is kept then.</param>
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
                    throw new InvalidOperationException("Descriptors of an earlier message are still to be sent.");
                Hold(fds);
                _fdsAt = _end;
            }
            if (_bytes.Length - _end < bytes.Length)
                Array.Resize(ref _bytes, Math.Max(_end + bytes.Length, 2 * _bytes.Length));
            bytes.CopyTo(_bytes.AsSpan(_end));
            _end += bytes.Length;
            _isEmpty = _start == _end;
        }
    }

    /// <summary>Sends what fits, without waiting.</summary>
    /// <returns>None when nothing is left, EAGAIN when something is, or why it failed; then nothing is left either.</returns>
    public Errno Send(SafeSocketHandle socket)
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
                    LetGo();
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

    private void Hold(ReadOnlySpan<SafeHandle> fds)
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

    private void LetGo()
    {
        foreach (SafeHandle fd in _fds)
            fd.DangerousRelease();
        _fds = [];
    }

    // the memory goes too: a client that reads its replies never needs it again
    private void Clear()
    {
        LetGo();
        _bytes = [];
        _start = _end = _piece = 0;
        _isEmpty = true;
    }
}
