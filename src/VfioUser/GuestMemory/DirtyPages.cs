using System.Numerics;
using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>The dirty bitmap of a DMA region: one bit per page, where pages are aligned to guest addresses.</summary>
/// <remarks>
/// <see cref="Mark"/>: any thread, after the write and before <see cref="GuestRegion.Exit"/>. Everything else: Command thread.
/// A bit set concurrently with <see cref="Take"/> is reported by this call or by the next one, so no write is lost.
/// </remarks>
internal sealed class DirtyPages
{
    private readonly ulong[] _words;
    private readonly ulong _start;
    private readonly ulong _last;
    private readonly ulong _firstPage;
    private readonly int _shift;

    /// <param name="start">The region's first byte.</param>
    /// <param name="last">Its last byte.</param>
    /// <param name="pageSize">A power of two.</param>
    public DirtyPages(ulong start, ulong last, ulong pageSize)
    {
        _start = start;
        _last = last;
        _shift = BitOperations.Log2(pageSize);
        _firstPage = start >> _shift;
        _words = new ulong[(((last >> _shift) - _firstPage) >> 6) + 1];
    }

    /// <summary>Size of a region's bitmap in bytes.</summary>
    public static long SizeOf(ulong start, ulong last, ulong pageSize)
    {
        int shift = BitOperations.Log2(pageSize);
        return (long)((((last >> shift) - (start >> shift)) >> 6) + 1) * sizeof(ulong);
    }

    /// <summary>In bytes.</summary>
    public long Size => (long)_words.Length * sizeof(ulong);

    /// <summary>Marks the pages of a write as dirty. Any thread.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="length">At least 1.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Mark(ulong offset, int length)
    {
        ulong first = ((_start + offset) >> _shift) - _firstPage;
        ulong last = ((_start + offset + (ulong)(length - 1)) >> _shift) - _firstPage;
        if (first >> 6 == last >> 6)
            Set(first >> 6, Mask((int)first & 63, (int)last & 63));
        else
            MarkWords(first, last);
    }

    /// <summary>Reports the dirty pages of a range and clears their bits.</summary>
    /// <param name="first">First byte of the range, which is clipped to the region.</param>
    /// <param name="last">Its last byte.</param>
    /// <param name="report">Receives the bits.</param>
    /// <remarks>A page only partly in the range is reported but not cleared: the client has yet to ask for the rest of it.</remarks>
    public void Take(ulong first, ulong last, in DirtyPagesReport report)
    {
        first = Math.Max(first, _start);
        last = Math.Min(last, _last);
        ulong firstBit = (first >> _shift) - _firstPage;
        ulong lastBit = (last >> _shift) - _firstPage;
        // clear an edge page only if the range covers everything the region has of it; the region may end within a page
        bool keepFirst = first > PageStart(firstBit);
        bool keepLast = last < PageLast(lastBit);
        for (ulong word = firstBit >> 6; word <= lastBit >> 6; word++)
        {
            if (Volatile.Read(ref _words[word]) == 0)
                continue;
            ulong mask = Mask(word == firstBit >> 6 ? (int)firstBit & 63 : 0, word == lastBit >> 6 ? (int)lastBit & 63 : 63);
            ulong clear = mask;
            if (keepFirst && word == firstBit >> 6)
                clear &= ~(1ul << (int)(firstBit & 63));
            if (keepLast && word == lastBit >> 6)
                clear &= ~(1ul << (int)(lastBit & 63));
            ulong taken = Interlocked.And(ref _words[word], ~clear) & mask;
            for (; taken != 0; taken &= taken - 1)
            {
                ulong bit = (word << 6) + (ulong)BitOperations.TrailingZeroCount(taken);
                report.Set(Math.Max(first, PageStart(bit)), Math.Min(last, PageLast(bit)));
            }
        }
    }

    private static ulong Mask(int first, int last) => (ulong.MaxValue << first) & (ulong.MaxValue >> (63 - last));

    private ulong PageStart(ulong bit) => Math.Max(_start, (_firstPage + bit) << _shift);

    private ulong PageLast(ulong bit) => Math.Min(_last, ((_firstPage + bit) << _shift) + ((1ul << _shift) - 1));

    private void MarkWords(ulong first, ulong last)
    {
        Set(first >> 6, Mask((int)first & 63, 63));
        for (ulong word = (first >> 6) + 1; word < last >> 6; word++)
            Set(word, ulong.MaxValue);
        Set(last >> 6, Mask(0, (int)last & 63));
    }

    // Usually the bit is set already: then there is no store, and the cache line stays shared.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Set(ulong word, ulong bits)
    {
        if ((Volatile.Read(ref _words[word]) & bits) != bits)
            Interlocked.Or(ref _words[word], bits);
    }
}
