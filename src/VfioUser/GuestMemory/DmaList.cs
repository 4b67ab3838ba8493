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

    /// <summary>Copies from this list's memory to that of another, also of another device, without a buffer between them.</summary>
    /// <param name="offset">First byte to read, relative to the list; at least 0.</param>
    /// <param name="destination">What to write. It must not overlap with what is read.</param>
    /// <param name="destinationOffset">First byte to write, relative to <paramref name="destination"/>; at least 0.</param>
    /// <param name="length">In bytes, at least 0.</param>
    /// <returns>Done; <see cref="DmaStatus.NotInPlace"/> if a byte of either is accessed by system calls or messages: then use a buffer.
    /// Otherwise why and where it failed, in one or the other memory: bytes before may have been written, but none if a list is too
    /// short.</returns>
    /// <remarks>One thread at a time for each list. Does not block, and allocates nothing.</remarks>
    public DmaResult TryCopyTo(long offset, DmaList destination, long destinationOffset, int length)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        DmaResult result = Bounds(offset, length);
        if (result)
            result = destination.Bounds(destinationOffset, length);
        for (int done = 0; done < length && result;)
        {
            (Iova from, int readable) = Find(offset + done, length - done);
            (Iova to, int count) = destination.Find(destinationOffset + done, readable);
            result = Dma.CopyInPlace(_dma, from, destination._dma, to, count);
            done += count;
        }
        return result;
    }

    /// <summary>Whether all of it is mapped into this process now, so that an access makes no system call and sends no message.</summary>
    /// <param name="writable">Whether it must be writable; else readable.</param>
    /// <remarks>Nothing is held: inside a worker's <see cref="DeviceWork"/> it stays so.</remarks>
    public bool IsMapped(bool writable)
    {
        foreach ((Iova address, _, ulong length) in _ranges)
        {
            if (!_dma.IsMapped(address, length, writable))
                return false;
        }
        return true;
    }

    /// <summary>Runs an action on the memory, a piece at a time and in order: in place where it is mapped, otherwise on a copy that is
    /// written back afterwards if <paramref name="writable"/>.</summary>
    /// <param name="offset">First byte, relative to the list; at least 0.</param>
    /// <param name="length">In bytes; at least 0.</param>
    /// <param name="writable">Whether the action changes the memory.</param>
    /// <param name="state">Passed to <paramref name="action"/>.</param>
    /// <param name="action">Called once for each range that is part of the access, until one cannot be accessed.</param>
    /// <returns>Done; otherwise why and where it failed: the action may have been called for what is before.</returns>
    /// <remarks>As <see cref="Dma.TryAccess"/>: does not allocate for memory that is mapped, and an unmap waits for the action.</remarks>
    public DmaResult TryAccess<TState>(long offset, int length, bool writable, TState state, DmaListAction<TState> action)
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        DmaResult result = Bounds(offset, length);
        for (int done = 0; done < length && result;)
        {
            (Iova address, int count) = Find(offset + done, length - done);
            result = _dma.TryAccess(address, count, writable, (Done: done, State: state, Action: action),
                static (memory, piece) => piece.Action(piece.Done, memory, piece.State));
            done += count;
        }
        return result;
    }

    /// <summary>Whether all ranges of a part begin at a multiple of a number, and are multiples of it long.</summary>
    /// <param name="offset">First byte, relative to the list; at least 0.</param>
    /// <param name="length">In bytes; at least 0.</param>
    /// <param name="alignment">A power of two.</param>
    public bool IsAligned(long offset, int length, int alignment)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfLessThan(alignment, 1);
        if (!Bounds(offset, length))
            return false;
        for (int done = 0; done < length;)
        {
            (Iova address, int count) = Find(offset + done, length - done);
            if (((address.Value | (uint)count) & (uint)(alignment - 1)) != 0)
                return false;
            done += count;
        }
        return true;
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
