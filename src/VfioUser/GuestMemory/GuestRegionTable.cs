using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>DMA regions by address. Immutable: a change creates a new table, so readers need no lock.</summary>
/// <remarks>
/// Two levels, so that a change copies the short root and one leaf instead of all regions:
/// <code>
/// _starts: first address of each leaf     _leaves[i]: Starts | Regions, sorted, at most LeafSize
/// </code>
/// </remarks>
internal sealed class GuestRegionTable
{
    private const int LeafSize = 256;

    public static readonly GuestRegionTable Empty = new([], [], 0, 0);

    private readonly ulong[] _starts;
    private readonly Leaf[] _leaves;

    private GuestRegionTable(ulong[] starts, Leaf[] leaves, int count, long generation)
    {
        _starts = starts;
        _leaves = leaves;
        Count = count;
        Generation = generation;
    }

    private sealed record Leaf(ulong[] Starts, GuestRegion[] Regions);

    public int Count { get; }

    /// <summary>Greater than that of the table it was made from.</summary>
    public long Generation { get; }

    public IEnumerable<GuestRegion> All => _leaves.SelectMany(leaf => leaf.Regions);

    /// <summary>The region that contains <paramref name="address"/>, or null.</summary>
    public GuestRegion? Find(ulong address)
    {
        int at = LastNotAbove(_starts, address);
        if (at < 0)
            return null;
        Leaf leaf = _leaves[at];
        at = LastNotAbove(leaf.Starts, address);
        GuestRegion region = leaf.Regions[at];
        return address <= region.Last ? region : null;
    }

    /// <summary>Whether a region overlaps the range from <paramref name="first"/> to <paramref name="last"/>, both included.</summary>
    public bool Overlaps(ulong first, ulong last)
    {
        // regions do not overlap each other: only the last one that starts at or before the end of the range can reach it
        int at = LastNotAbove(_starts, last);
        if (at < 0)
            return false;
        Leaf leaf = _leaves[at];
        return leaf.Regions[LastNotAbove(leaf.Starts, last)].Last >= first;
    }

    /// <summary>Whether a region overlaps the range that the client does not access for the device.</summary>
    public bool OverlapsInPlace(ulong first, ulong last)
    {
        for (int at = Math.Max(0, LastNotAbove(_starts, first)); at < _leaves.Length && _starts[at] <= last; at++)
        {
            foreach (GuestRegion region in _leaves[at].Regions)
            {
                if (region.Start <= last && region.Last >= first && region is not MessageGuestRegion)
                    return true;
            }
        }
        return false;
    }

    /// <summary>The regions that overlap the range from <paramref name="first"/> to <paramref name="last"/>, both included.</summary>
    public IEnumerable<GuestRegion> Between(ulong first, ulong last)
    {
        for (int at = Math.Max(0, LastNotAbove(_starts, first)); at < _leaves.Length && _starts[at] <= last; at++)
        {
            foreach (GuestRegion region in _leaves[at].Regions)
            {
                if (region.Start <= last && region.Last >= first)
                    yield return region;
            }
        }
    }

    /// <summary>Whether a region lies only partly in the range from <paramref name="first"/> to <paramref name="last"/>.</summary>
    public bool IsCutBy(ulong first, ulong last) => Find(first)?.Start < first || Find(last)?.Last > last;

    public GuestRegionTable Add(GuestRegion region)
    {
        if (_leaves.Length == 0)
            return new GuestRegionTable([region.Start], [new Leaf([region.Start], [region])], 1, Generation + 1);
        int at = Math.Max(0, LastNotAbove(_starts, region.Start));
        Leaf leaf = _leaves[at];
        int index = LastNotAbove(leaf.Starts, region.Start) + 1;
        Leaf grown = new(Inserted(leaf.Starts, index, region.Start), Inserted(leaf.Regions, index, region));
        if (grown.Starts.Length <= LeafSize)
            return new GuestRegionTable(Replaced(_starts, at, grown.Starts[0]), Replaced(_leaves, at, grown), Count + 1, Generation + 1);
        // clients often map in ascending order: do not split a full leaf in halves then
        int half = index == leaf.Starts.Length ? LeafSize : grown.Starts.Length / 2;
        Leaf left = new(grown.Starts[..half], grown.Regions[..half]);
        Leaf right = new(grown.Starts[half..], grown.Regions[half..]);
        return new GuestRegionTable(
            Inserted(Replaced(_starts, at, left.Starts[0]), at + 1, right.Starts[0]),
            Inserted(Replaced(_leaves, at, left), at + 1, right),
            Count + 1,
            Generation + 1);
    }

    public GuestRegionTable Remove(GuestRegion region) => RemoveBetween(region.Start, region.Last, out _);

    /// <summary>Removes the regions of a range, which must split none, all in one new table.</summary>
    /// <param name="first">First byte of the range.</param>
    /// <param name="last">Its last byte.</param>
    /// <param name="removed">In order of address.</param>
    public GuestRegionTable RemoveBetween(ulong first, ulong last, out GuestRegion[] removed)
    {
        int from = Math.Max(0, LastNotAbove(_starts, first));
        int to = LastNotAbove(_starts, last);
        List<GuestRegion> gone = [];
        List<Leaf> left = [];
        for (int at = from; at <= to; at++)
        {
            Leaf leaf = _leaves[at];
            int begin = LastNotAbove(leaf.Starts, first);
            if (begin < 0 || leaf.Starts[begin] < first)
                begin++;
            int end = LastNotAbove(leaf.Starts, last) + 1;
            gone.AddRange(leaf.Regions.AsSpan(begin, end - begin));
            if (begin == end)
                left.Add(leaf);
            else if (end - begin < leaf.Starts.Length)
                left.Add(new Leaf([.. leaf.Starts[..begin], .. leaf.Starts[end..]], [.. leaf.Regions[..begin], .. leaf.Regions[end..]]));
        }
        removed = [.. gone];
        if (removed.Length == 0)
            return this;
        Leaf[] leaves = [.. _leaves.AsSpan(0, from), .. left, .. _leaves.AsSpan(to + 1)];
        return new GuestRegionTable([.. leaves.Select(leaf => leaf.Starts[0])], leaves, Count - removed.Length, Generation + 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LastNotAbove(ulong[] sorted, ulong value)
    {
        int low = 0;
        int high = sorted.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (sorted[middle] <= value)
                low = middle + 1;
            else
                high = middle;
        }
        return low - 1;
    }

    private static T[] Inserted<T>(T[] array, int index, T item)
    {
        T[] result = new T[array.Length + 1];
        array.AsSpan(0, index).CopyTo(result);
        result[index] = item;
        array.AsSpan(index).CopyTo(result.AsSpan(index + 1));
        return result;
    }

    private static T[] Replaced<T>(T[] array, int index, T item)
    {
        T[] result = (T[])array.Clone();
        result[index] = item;
        return result;
    }
}
