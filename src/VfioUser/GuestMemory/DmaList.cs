using System.Diagnostics.CodeAnalysis;

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
    /// <returns>False if the list ends before, if a byte is not mapped readable, or the client has disconnected or does not reply.</returns>
    /// <remarks>As <see cref="Dma.TryRead(Iova, Span{byte})"/>.</remarks>
    public bool TryRead(long offset, Span<byte> destination) => Read(offset, destination) == DmaResult.Done;

    /// <summary>As <see cref="TryRead"/>, but returns the cause of a failure; <see cref="DmaResult.NotMapped"/> if the list ends
    /// before.</summary>
    /// <inheritdoc cref="TryRead"/>
    /// <returns>The result.</returns>
    public DmaResult Read(long offset, Span<byte> destination)
    {
        DmaResult result = Contains(offset, destination.Length) ? DmaResult.Done : DmaResult.NotMapped;
        for (int done = 0; done < destination.Length && result == DmaResult.Done;)
        {
            (Iova address, int count) = Find(offset + done, destination.Length - done);
            result = _dma.Read(address, destination.Slice(done, count));
            done += count;
        }
        if (result != DmaResult.Done)
            destination.Clear();
        return result;
    }

    /// <summary>Copies into the memory.</summary>
    /// <param name="offset">First byte, relative to the list; at least 0.</param>
    /// <param name="source">What to write; length in bytes.</param>
    /// <returns>False if the list ends before, and nothing is written; if a byte is not mapped writable, or the client has
    /// disconnected or does not reply: bytes before may have been written.</returns>
    /// <remarks>As <see cref="Dma.TryWrite(Iova, ReadOnlySpan{byte})"/>.</remarks>
    public bool TryWrite(long offset, ReadOnlySpan<byte> source) => Write(offset, source) == DmaResult.Done;

    /// <summary>As <see cref="TryWrite"/>, but returns the cause of a failure; <see cref="DmaResult.NotMapped"/> if the list ends
    /// before.</summary>
    /// <inheritdoc cref="TryWrite"/>
    /// <returns>The result.</returns>
    public DmaResult Write(long offset, ReadOnlySpan<byte> source)
    {
        DmaResult result = Contains(offset, source.Length) ? DmaResult.Done : DmaResult.NotMapped;
        for (int done = 0; done < source.Length && result == DmaResult.Done;)
        {
            (Iova address, int count) = Find(offset + done, source.Length - done);
            result = _dma.Write(address, source.Slice(done, count));
            done += count;
        }
        return result;
    }

    /// <summary>Pins all ranges, for I/O without a copy.</summary>
    /// <inheritdoc cref="Dma.TryPin"/>
    public bool TryPin(DmaPinAccess access, [NotNullWhen(true)] out DmaPin? pin) => Pin(access, out pin) == DmaResult.Done && pin is not null;

    /// <summary>As <see cref="TryPin"/>, but returns the cause of a failure.</summary>
    /// <inheritdoc cref="Dma.Pin(Iova, ulong, DmaPinAccess, out DmaPin?)"/>
    public DmaResult Pin(DmaPinAccess access, out DmaPin? pin) => _dma.Pin(this, access, out pin);

    private bool Contains(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return offset <= Length && length <= Length - offset;
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
