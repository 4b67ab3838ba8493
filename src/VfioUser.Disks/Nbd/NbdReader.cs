using System.Buffers.Binary;
using System.Net.Sockets;

namespace VfioUser.Disks;

/// <summary>Reads what a server sends: small things from a buffer, and data straight to where it belongs.</summary>
/// <remarks>One reader at a time.</remarks>
internal sealed class NbdReader(Socket socket)
{
    private readonly byte[] _buffer = new byte[64 << 10];
    private int _start;
    private int _end;

    /// <summary>Reads bytes that are used before the next read.</summary>
    /// <param name="length">Less than the buffer's 64 KiB.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="EndOfStreamException">The server has closed the connection.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> TakeAsync(int length, CancellationToken cancellation)
    {
        if (_end - _start < length)
        {
            _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
            while (_end < length)
                _end += await ReceiveAsync(_buffer.AsMemory(_end), cancellation).ConfigureAwait(false);
        }
        _start += length;
        return _buffer.AsMemory(_start - length, length);
    }

    /// <summary>Fills memory.</summary>
    /// <exception cref="EndOfStreamException">The server has closed the connection.</exception>
    public async ValueTask ReadAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        int buffered = Math.Min(_end - _start, destination.Length);
        _buffer.AsSpan(_start, buffered).CopyTo(destination.Span);
        _start += buffered;
        for (destination = destination[buffered..]; !destination.IsEmpty;)
        {
            // a buffer full of what follows costs no more than the rest of this
            if (destination.Length < _buffer.Length / 4)
            {
                (await TakeAsync(destination.Length, cancellation).ConfigureAwait(false)).CopyTo(destination);
                return;
            }
            destination = destination[await ReceiveAsync(destination, cancellation).ConfigureAwait(false)..];
        }
    }

    public async ValueTask<ulong> UInt64Async(CancellationToken cancellation) =>
        BinaryPrimitives.ReadUInt64BigEndian((await TakeAsync(sizeof(ulong), cancellation).ConfigureAwait(false)).Span);

    public async ValueTask<uint> UInt32Async(CancellationToken cancellation) =>
        BinaryPrimitives.ReadUInt32BigEndian((await TakeAsync(sizeof(uint), cancellation).ConfigureAwait(false)).Span);

    public async ValueTask<ushort> UInt16Async(CancellationToken cancellation) =>
        BinaryPrimitives.ReadUInt16BigEndian((await TakeAsync(sizeof(ushort), cancellation).ConfigureAwait(false)).Span);

    private async ValueTask<int> ReceiveAsync(Memory<byte> destination, CancellationToken cancellation)
    {
        int count = await socket.ReceiveAsync(destination, cancellation).ConfigureAwait(false);
        return count > 0 ? count : throw new EndOfStreamException("The NBD server has closed the connection.");
    }
}
