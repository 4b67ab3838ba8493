using System.Buffers.Binary;

namespace E1000.Network;

/// <summary>Frames that wait for the card, in order, in one array. Any thread.</summary>
/// <param name="capacity">In bytes, each frame taking two more. Larger than a real card's 48 KiB, since no wire slows the sender down.</param>
internal sealed class FrameFifo(int capacity)
{
    private const int PrefixLength = 2;

    private readonly Lock _lock = new();
    private readonly byte[] _bytes = new byte[capacity];
    private int _start;
    private int _used;
    private uint _lost;

    public void Add(ReadOnlySpan<byte> frame)
    {
        Span<byte> prefix = stackalloc byte[PrefixLength];
        lock (_lock)
        {
            if (frame.Length > ushort.MaxValue || frame.Length + PrefixLength > _bytes.Length - _used)
            {
                _lost++;
                return;
            }
            BinaryPrimitives.WriteUInt16LittleEndian(prefix, (ushort)frame.Length);
            Append(prefix);
            Append(frame);
        }
    }

    /// <summary>Copies the first frame and leaves it.</summary>
    /// <param name="destination">What is longer than this is cut.</param>
    /// <param name="length">Of the frame, uncut.</param>
    /// <returns>False if there is none.</returns>
    public bool TryPeek(Span<byte> destination, out int length)
    {
        lock (_lock)
        {
            length = _used == 0 ? 0 : FirstLength();
            Copy(PrefixLength, destination[..Math.Min(length, destination.Length)]);
            return _used > 0;
        }
    }

    public void RemoveFirst()
    {
        lock (_lock)
        {
            if (_used == 0)
                return;
            int length = PrefixLength + FirstLength();
            _start = (_start + length) % _bytes.Length;
            _used -= length;
        }
    }

    public void Clear()
    {
        lock (_lock)
            _used = 0;
    }

    /// <summary>How many frames found no place since the last call.</summary>
    public uint TakeLost()
    {
        lock (_lock)
        {
            uint lost = _lost;
            _lost = 0;
            return lost;
        }
    }

    private int FirstLength()
    {
        Span<byte> prefix = stackalloc byte[PrefixLength];
        Copy(0, prefix);
        return BinaryPrimitives.ReadUInt16LittleEndian(prefix);
    }

    private void Append(ReadOnlySpan<byte> source)
    {
        int at = (_start + _used) % _bytes.Length;
        int first = Math.Min(source.Length, _bytes.Length - at);
        source[..first].CopyTo(_bytes.AsSpan(at));
        source[first..].CopyTo(_bytes);
        _used += source.Length;
    }

    private void Copy(int offset, Span<byte> destination)
    {
        int at = (_start + offset) % _bytes.Length;
        int first = Math.Min(destination.Length, _bytes.Length - at);
        _bytes.AsSpan(at, first).CopyTo(destination);
        _bytes.AsSpan(0, destination.Length - first).CopyTo(destination[first..]);
    }
}
