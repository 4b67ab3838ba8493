using System.Buffers.Binary;

namespace VfioUser.Disks;

/// <summary>Reads what a server sends: small things from a buffer, and data straight to where it belongs.</summary>
/// <remarks>One thread. Waits for what has not come, and throws as <see cref="NbdSocket.Receive"/>.</remarks>
internal sealed class NbdReader(NbdSocket socket)
{
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _start;
    private int _end;

    /// <summary>Reads bytes that are used before the next read.</summary>
    /// <param name="length">Less than the buffer's 64 KiB.</param>
    public ReadOnlySpan<byte> Take(int length)
    {
        if (_end - _start < length)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
            while (_end < length)
                _end += socket.Receive(_buffer.AsSpan(_end));
        }
        _start += length;
        return _buffer.AsSpan(_start - length, length);
    }

    /// <summary>Fills memory.</summary>
    public void Read(Span<byte> destination)
    {
        int buffered = Math.Min(_end - _start, destination.Length);
        _buffer.AsSpan(_start, buffered).CopyTo(destination);
        _start += buffered;
        for (destination = destination[buffered..]; !destination.IsEmpty;)
        {
            // a buffer full of what follows costs no more than the rest of this
            if (destination.Length < _buffer.Length / 4)
            {
                Take(destination.Length).CopyTo(destination);
                return;
            }
            destination = destination[socket.Receive(destination)..];
        }
    }

    public ulong UInt64() => BinaryPrimitives.ReadUInt64BigEndian(Take(sizeof(ulong)));

    public uint UInt32() => BinaryPrimitives.ReadUInt32BigEndian(Take(sizeof(uint)));

    public ushort UInt16() => BinaryPrimitives.ReadUInt16BigEndian(Take(sizeof(ushort)));
}
