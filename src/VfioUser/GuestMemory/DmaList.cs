namespace VfioUser;

/// <summary>A scatter-gather list: ranges of guest memory that are read, written and pinned as one.</summary>
/// <remarks>
/// One thread at a time. Adding checks nothing and holds nothing: what is wrong with a range is a result of the access. Keep a list and
/// <see cref="Clear"/> it, then adding allocates nothing. Bound the number of ranges: the guest's list may have a loop.
/// </remarks>
/// <param name="dma">The memory that the ranges are in.</param>
public sealed class DmaList(Dma dma)
{
    private readonly Dma _dma = dma ?? throw new ArgumentNullException(nameof(dma));
    private readonly List<(Iova Address, long Offset, ulong Length)> _ranges = [];

    /// <summary>Number of ranges. Adjacent ones are merged.</summary>
    public int Count => _ranges.Count;

    /// <summary>Of all ranges, in bytes.</summary>
    public long Length { get; private set; }

    internal (Iova Address, long Offset, ulong Length) this[int index] => _ranges[index];

    /// <summary>Adds a range at the end.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes; nothing is added for 0.</param>
    public void Add(Iova address, uint length)
    {
        if (length == 0)
            return;
        if (_ranges is [.., var last] && last.Address + last.Length == address && address.Value != 0)
            _ranges[^1] = last with { Length = last.Length + length };
        else
            _ranges.Add((address, Length, length));
        Length += length;
    }

    /// <summary>Removes all ranges.</summary>
    public void Clear()
    {
        _ranges.Clear();
        Length = 0;
    }

    /// <summary>Copies from the memory.</summary>
    /// <param name="offset">First byte, relative to the list; at least 0.</param>
    /// <param name="destination">Filled completely, or cleared when the read fails. Length in bytes.</param>
    /// <returns>Done; otherwise why and where it failed.</returns>
    /// <remarks>As <see cref="Dma.TryRead(Iova, Span{byte})"/>.</remarks>
    public DmaResult TryRead(long offset, Span<byte> destination)
    {
        DmaResult result = Bounds(offset, destination.Length);
        for (int done = 0; done < destination.Length && result;)
        {
            (Iova address, int count) = Find(offset + done, destination.Length - done);
            result = _dma.TryRead(address, destination.Slice(done, count));
            done += count;
        }
        if (!result)
            destination.Clear();
        return result;
    }

    /// <summary>Copies into the memory.</summary>
    /// <param name="offset">First byte, relative to the list; at least 0.</param>
    /// <param name="source">What to write; length in bytes.</param>
    /// <returns>Done; otherwise why and where it failed: bytes before may have been written, but none if the list is too short.</returns>
    /// <remarks>As <see cref="Dma.TryWrite(Iova, ReadOnlySpan{byte})"/>.</remarks>
    public DmaResult TryWrite(long offset, ReadOnlySpan<byte> source)
    {
        DmaResult result = Bounds(offset, source.Length);
        for (int done = 0; done < source.Length && result;)
        {
            (Iova address, int count) = Find(offset + done, source.Length - done);
            result = _dma.TryWrite(address, source.Slice(done, count));
            done += count;
        }
        return result;
    }

    /// <summary>Pins all ranges, for I/O without a copy.</summary>
    /// <inheritdoc cref="Dma.TryPin"/>
    public DmaResult TryPin(DmaPinAccess access, out DmaPin pin) => _dma.Pin(this, access, out pin);

    private DmaResult Bounds(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (offset <= Length && length <= Length - offset)
            return DmaResult.Done;
        return new DmaResult(DmaStatus.EndOfList, _ranges is [.., var last] ? last.Address + last.Length : default);
    }

    // How much of an access lies in the range of its first byte, and where: the last range that does not begin behind it.
    private (Iova Address, int Count) Find(long offset, int length)
    {
        int low = 0;
        for (int high = _ranges.Count - 1; low < high;)
        {
            int middle = low + (high - low + 1) / 2;
            if (_ranges[middle].Offset <= offset)
                low = middle;
            else
                high = middle - 1;
        }
        (Iova address, long start, ulong all) = _ranges[low];
        ulong within = (ulong)(offset - start);
        return (address + within, (int)Math.Min((ulong)length, all - within));
    }
}
