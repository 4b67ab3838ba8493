namespace VfioUser.Nvme;

/// <summary>A command's data in guest memory: scattered pieces, accessed as one buffer.</summary>
/// <remarks>One thread. Reused for every command, so that none allocates.</remarks>
internal sealed class GuestBuffer(Dma dma)
{
    /// <summary>Most pieces of a buffer: it limits the work that a guest can cause.</summary>
    public const int MaxPieces = 1024;

    private readonly Piece[] _pieces = new Piece[MaxPieces];
    private int _count;

    /// <summary>In bytes.</summary>
    public int Length { get; private set; }

    public int Pieces => _count;

    public Dma Dma => dma;

    public void Clear() => (_count, Length) = (0, 0);

    /// <summary>Adds the next piece; merges it with an adjacent one.</summary>
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
    /// <param name="destination">Filled completely on success.</param>
    /// <returns>False when some of it is not mapped.</returns>
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

    // The part of a piece from offset on. Offset becomes relative to the next piece.
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
