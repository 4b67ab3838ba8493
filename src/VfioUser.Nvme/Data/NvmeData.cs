namespace VfioUser.Nvme;

/// <summary>A command's data in guest memory: scattered pieces, accessed as one buffer.</summary>
/// <remarks>One thread, during one call: it is reused for every command, so that none allocates.</remarks>
public sealed class NvmeData
{
    /// <summary>Most pieces of a buffer: it limits the work that a guest can cause.</summary>
    internal const int MaxPieces = 1024;

    // most commands have a page or two
    private const int FirstPieces = 16;

    private Piece[] _pieces = new Piece[FirstPieces];
    private int _count;

    internal NvmeData(Dma dma) => Dma = dma;

    /// <summary>In bytes.</summary>
    public int Length { get; private set; }

    internal int Pieces => _count;

    internal Dma Dma { get; }

    internal void Clear() => (_count, Length) = (0, 0);

    /// <summary>Adds the next piece; merges it with an adjacent one.</summary>
    /// <returns>False when there are too many pieces.</returns>
    internal bool TryAdd(ulong address, int length)
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
            if (_count == _pieces.Length)
                Array.Resize(ref _pieces, 2 * _count);
            _pieces[_count++] = new Piece(address, length);
        }
        Length += length;
        return true;
    }

    /// <summary>Copies from the guest, which may change the bytes at any time.</summary>
    /// <param name="offset">Within the data, in bytes.</param>
    /// <param name="destination">Filled completely on success.</param>
    /// <returns>False when some of it is not mapped, or behind the end.</returns>
    public bool TryCopyTo(int offset, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        for (int i = 0; i < _count && !destination.IsEmpty; i++)
        {
            if (!TryEnter(i, ref offset, destination.Length, out Iova address, out int length))
                continue;
            if (!Dma.TryRead(address, destination[..length]))
                return false;
            destination = destination[length..];
        }
        return destination.IsEmpty;
    }

    /// <summary>Copies to the guest.</summary>
    /// <param name="offset">Within the data, in bytes.</param>
    /// <param name="source">The bytes.</param>
    /// <returns>False when some of it is not mapped, or behind the end.</returns>
    public bool TryCopyFrom(int offset, ReadOnlySpan<byte> source)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        for (int i = 0; i < _count && !source.IsEmpty; i++)
        {
            if (!TryEnter(i, ref offset, source.Length, out Iova address, out int length))
                continue;
            if (!Dma.TryWrite(address, source[..length]))
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
