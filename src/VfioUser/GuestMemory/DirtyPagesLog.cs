using System.Numerics;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Dirty page logging of a session: whether it is on, and for which ranges.</summary>
/// <remarks>
/// Command thread; lives as long as the session. Memory accessed by DMA_READ and DMA_WRITE messages is not logged, since the
/// client carries out each write itself: its bits are reported as 0. Spec: VFIO_DEVICE_FEATURE_DMA_LOGGING_START.
/// </remarks>
internal sealed class DirtyPagesLog(Dma dma, long maxSize, IGuestMemoryObserver observer)
{
    private const ulong SmallestPage = 4 << 10;
    private const ulong LargestPage = 1 << 30;
    private const int MaxRanges = 1024;

    private readonly List<DmaLoggingRange> _ranges = []; // empty: all memory
    private ulong _pageSize;
    private long _size;

    public bool IsOn => _pageSize != 0;

    /// <summary>Starts logging, or adds ranges to it.</summary>
    /// <param name="wanted">The page size that the client requests; while logging is on, it must be the one in use.</param>
    /// <param name="ranges">The ranges to log; all memory if there are none.</param>
    /// <param name="chosen">The page size in use.</param>
    public Refusal Start(ulong wanted, ReadOnlySpan<DmaLoggingRange> ranges, out ulong chosen)
    {
        chosen = _pageSize;
        if (wanted == 0)
            return Refusal.Invalid("a page size of 0 cannot be logged");
        if (IsOn && wanted != _pageSize)
            return Refusal.Invalid("pages of {0} bytes are requested while pages of {1} are logged", wanted, _pageSize);
        foreach (DmaLoggingRange range in ranges)
        {
            if (range.Length == 0 || range.Iova > ulong.MaxValue - (range.Length - 1))
                return Refusal.Invalid("0x{1:x} bytes at 0x{0:x} are not a valid range", range.Iova, range.Length);
        }
        bool all = ranges.IsEmpty || (IsOn && _ranges.Count == 0);
        if (!all && _ranges.Count + ranges.Length > MaxRanges)
            return new Refusal(Errno.E2BIG, "{0} ranges are more than {1}", (ulong)(_ranges.Count + ranges.Length), MaxRanges);

        bool wasOn = IsOn;
        DmaLoggingRange[] before = [.. _ranges];
        if (!wasOn)
            _pageSize = Math.Clamp(1ul << BitOperations.Log2(wanted), SmallestPage, LargestPage);
        if (all)
            _ranges.Clear();
        else
            _ranges.AddRange(ranges);
        if (!Fits(dma.Table.All))
        {
            _ranges.Clear();
            _ranges.AddRange(before);
            if (!wasOn)
                _pageSize = 0;
            return new Refusal(Errno.ENOMEM, "the bitmaps would be larger than {0} bytes", (ulong)maxSize);
        }
        foreach (GuestRegion region in dma.Table.All)
            Attach(region);
        Settle();
        chosen = _pageSize;
        observer.DirtyPagesStarted(_pageSize, _size);
        return default;
    }

    public void Stop()
    {
        if (!IsOn)
            return;
        _pageSize = 0;
        _size = 0;
        _ranges.Clear();
        foreach (GuestRegion region in dma.Table.All)
            region.Dirty = null;
    }

    /// <summary>Checks whether a range can be reported.</summary>
    public Refusal Check(ulong first, ulong length)
    {
        if (!IsOn)
            return Refusal.Invalid("dirty pages are not logged");
        if (length == 0 || first > ulong.MaxValue - (length - 1))
            return Refusal.Invalid("0x{1:x} bytes at 0x{0:x} are not a valid range", first, length);
        return dma.Table.Overlaps(first, first + (length - 1))
            ? default
            : new Refusal(Errno.ENOENT, "nothing is mapped in 0x{1:x} bytes at 0x{0:x}", first, length);
    }

    /// <summary>Reports the pages of a range written since its last report, and clears them.</summary>
    public Errno Report(in DirtyPagesReport report)
    {
        Errno errno = Check(report.First, report.Length).Errno;
        if (errno != Errno.None)
            return errno;
        foreach (GuestRegion region in dma.Table.Between(report.First, report.Last))
            region.Dirty?.Take(report.First, report.Last, report);
        Settle();
        return Errno.None;
    }

    /// <summary>Starts logging a region that is about to be mapped, if it is in a logged range.</summary>
    /// <returns>False when its bitmap would exceed the limit.</returns>
    public bool TryAdd(GuestRegion region)
    {
        if (IsOn && !Fits([region]))
            return false;
        Attach(region);
        return true;
    }

    /// <summary>Releases the bitmap of a region that was unmapped.</summary>
    public void Remove(GuestRegion region) => _size -= region.Dirty?.Size ?? 0;

    // A thread that found logging off, or its bit set, may have its write still in a store buffer. The write must be visible
    // before the client receives the reply.
    private static void Settle() => Interlocked.MemoryBarrierProcessWide();

    private bool Fits(IEnumerable<GuestRegion> regions)
    {
        long size = _size;
        foreach (GuestRegion region in regions.Where(Wants))
        {
            size += DirtyPages.SizeOf(region.Start, region.Last, _pageSize);
            if (size > maxSize)
            {
                observer.DirtyPagesTooLarge(size, maxSize);
                return false;
            }
        }
        return true;
    }

    private void Attach(GuestRegion region)
    {
        if (!IsOn || !Wants(region))
            return;
        DirtyPages pages = new(region.Start, region.Last, _pageSize);
        region.Dirty = pages;
        _size += pages.Size;
    }

    private bool Wants(GuestRegion region) => region.Dirty is null && region.Description is { IsWritable: true, Backing: not DmaBacking.Message }
        && (_ranges.Count == 0 || _ranges.Exists(range => range.Iova <= region.Last && range.Iova + (range.Length - 1) >= region.Start));
}
