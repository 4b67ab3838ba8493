using VfioUser;

namespace Nvme.Data;

/// <summary>A command's data in guest memory: pieces that lie anywhere, seen as one.</summary>
/// <remarks>One thread. Reused from command to command, so that none allocates.</remarks>
internal sealed class GuestBuffer(Dma dma)
{
    /// <summary>Pieces that a buffer has at most: a guest cannot make us walk further.</summary>
    public const int MaxPieces = 1024;

    private readonly Piece[] _pieces = new Piece[MaxPieces];
    private int _count;

    /// <summary>In bytes.</summary>
    public int Length { get; private set; }

    public int Pieces => _count;

    public Dma Dma => dma;

    public void Clear() => (_count, Length) = (0, 0);

    /// <summary>Adds what comes next. Neighbours become one piece.</summary>
    /// <returns>False when there are too many pieces.</returns>
    public bool TryAdd(ulong address, int length)
    {
        if (length == 0)
            return true;
        if (_count > 0 && unchecked(_pieces[_count - 1].Address + (ulong)_pieces[_count - 1].Length) == address)
        {
            _pieces[_count - 1] = new Piece(_pieces[_count - 1].Address, _pieces[_count - 1].Length + length);
        }
        else
        {
            if (_count == MaxPieces)
                return false;
            _pieces[_count++] = new Piece(address, length);
        }
        Length += length;
        return true;
    }

    /// <summary>Copies from the guest.</summary>
    /// <param name="offset">Within the buffer.</param>
    /// <param name="destination">Filled completely, or not to be used.</param>
    /// <returns>False when some of it is no memory.</returns>
    public bool TryRead(int offset, Span<byte> destination)
    {
        for (int i = 0; i < _count && !destination.IsEmpty; i++)
        {
            if (!TryEnter(i, ref offset, destination.Length, out Iova address, out int length))
                continue;
            if (!dma.TryRead(address, destination[..length]))
                return false;
            destination = destination[length..];
        }
        return destination.IsEmpty;
    }

    /// <summary>Copies to the guest.</summary>
    /// <inheritdoc cref="TryRead"/>
    public bool TryWrite(int offset, ReadOnlySpan<byte> source)
    {
        for (int i = 0; i < _count && !source.IsEmpty; i++)
        {
            if (!TryEnter(i, ref offset, source.Length, out Iova address, out int length))
                continue;
            if (!dma.TryWrite(address, source[..length]))
                return false;
            source = source[length..];
        }
        return source.IsEmpty;
    }

    // The part of a piece from offset on. Offset becomes relative to the piece behind.
    private bool TryEnter(int index, ref int offset, int wanted, out Iova address, out int length)
    {
        Piece piece = _pieces[index];
        if (offset >= piece.Length)
        {
            offset -= piece.Length;
            (address, length) = (default, 0);
            return false;
        }
        address = new Iova(piece.Address) + (ulong)offset;
        length = Math.Min(piece.Length - offset, wanted);
        offset = 0;
        return true;
    }

    private readonly record struct Piece(ulong Address, int Length);
}
