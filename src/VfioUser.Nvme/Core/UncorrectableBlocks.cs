namespace VfioUser.Nvme;

/// <summary>Stretches of a disk that Write Uncorrectable has marked: to read them fails until they are written. NVM command set
/// specification 1.0 3.2.7.</summary>
/// <remarks>Any thread. In bytes, so that a format of other blocks does not move them.</remarks>
internal sealed class UncorrectableBlocks
{
    /// <summary>Most stretches: a guest that marks every other block must not take memory without end.</summary>
    public const int MaxRanges = 256;

    private readonly Lock _lock = new();
    private readonly List<BadRange> _ranges = []; // in order; they neither overlap nor touch
    private int _count;

    /// <summary>Whether nothing is marked: what a command asks first.</summary>
    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    /// <summary>The stretches, to be saved.</summary>
    public BadRange[] Ranges
    {
        get
        {
            lock (_lock)
                return [.. _ranges];
        }
    }

    /// <summary>Marks bytes.</summary>
    /// <returns>False if they are more stretches than there can be: then nothing is marked.</returns>
    public bool TryMark(long offset, long length)
    {
        lock (_lock)
        {
            long end = offset + length;
            int first = _ranges.FindIndex(range => range.End >= offset);
            if (first < 0)
                first = _ranges.Count;
            int last = first;
            while (last < _ranges.Count && _ranges[last].Offset <= end)
                last++;
            if (last == first && _ranges.Count == MaxRanges)
                return false;
            if (last > first)
                (offset, end) = (Math.Min(offset, _ranges[first].Offset), Math.Max(end, _ranges[last - 1].End));
            _ranges.RemoveRange(first, last - first);
            _ranges.Insert(first, new BadRange(offset, end - offset));
            Volatile.Write(ref _count, _ranges.Count);
            return true;
        }
    }

    /// <summary>Bytes were written: they can be read again.</summary>
    public void Clear(long offset, long length)
    {
        if (IsEmpty || length == 0)
            return;
        lock (_lock)
        {
            long end = offset + length;
            for (int i = _ranges.Count - 1; i >= 0; i--)
            {
                BadRange range = _ranges[i];
                if (range.Offset >= end || range.End <= offset)
                    continue;
                _ranges.RemoveAt(i);
                // what was marked on either side stays; if there is no room for both, the longer one
                BadRange before = new(range.Offset, offset - range.Offset);
                BadRange after = new(end, range.End - end);
                bool both = _ranges.Count + 2 <= MaxRanges;
                if (after.Length > 0 && (both || after.Length >= before.Length))
                    _ranges.Insert(i, after);
                if (before.Length > 0 && (both || before.Length > after.Length))
                    _ranges.Insert(i, before);
            }
            Volatile.Write(ref _count, _ranges.Count);
        }
    }

    /// <summary>Whether bytes are marked, some of them at least.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="first">The first that is.</param>
    public bool Contains(long offset, long length, out long first)
    {
        first = 0;
        if (IsEmpty)
            return false;
        lock (_lock)
        {
            foreach (BadRange range in _ranges)
            {
                if (range.Offset >= offset + length || range.End <= offset)
                    continue;
                first = Math.Max(range.Offset, offset);
                return true;
            }
            return false;
        }
    }

    /// <summary>Goes on with what was saved.</summary>
    public void Restore(ReadOnlySpan<BadRange> ranges)
    {
        lock (_lock)
        {
            _ranges.Clear();
            Volatile.Write(ref _count, 0);
        }
        foreach (BadRange range in ranges)
            TryMark(range.Offset, range.Length);
    }
}
