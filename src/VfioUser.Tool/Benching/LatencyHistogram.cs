using System.Numerics;

namespace VfioUser.Tool.Benching;

/// <summary>Counts durations in buckets that grow with them, so that any quantile is known within 1 %. One thread.</summary>
/// <remarks>
/// A value below 256 has a bucket of its own; from there on each power of two is divided into 128 buckets. The size is fixed,
/// so recording allocates nothing.
/// </remarks>
internal sealed class LatencyHistogram
{
    private const int SubBits = 7;
    private const int SubCount = 1 << SubBits;

    private readonly long[] _buckets = new long[(65 - SubBits) * SubCount];

    /// <summary>How many values were recorded.</summary>
    public long Count { get; private set; }

    /// <summary>The smallest value, exactly; 0 if there is none.</summary>
    public ulong Min { get; private set; }

    /// <summary>The largest value, exactly; 0 if there is none.</summary>
    public ulong Max { get; private set; }

    public void Record(ulong value)
    {
        _buckets[IndexOf(value)]++;
        Min = Count == 0 ? value : Math.Min(Min, value);
        Max = Math.Max(Max, value);
        Count++;
    }

    public void Clear()
    {
        Array.Clear(_buckets);
        (Count, Min, Max) = (0, 0, 0);
    }

    /// <summary>The smallest value that this share of all values does not exceed.</summary>
    /// <param name="quantile">From 0 to 1.</param>
    /// <returns>At most 1 % too large; 0 if nothing was recorded.</returns>
    public ulong Quantile(double quantile)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(quantile);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quantile, 1);
        long rank = Math.Max(1, (long)Math.Ceiling(quantile * Count));
        long seen = 0;
        for (int i = 0; i < _buckets.Length; i++)
        {
            seen += _buckets[i];
            if (seen >= rank)
                return Math.Clamp(LargestOf(i), Min, Max);
        }
        return Max;
    }

    private static int IndexOf(ulong value)
    {
        if (value < SubCount)
            return (int)value;
        int shift = BitOperations.Log2(value) - SubBits;
        return (shift << SubBits) + (int)(value >> shift);
    }

    private static ulong LargestOf(int index)
    {
        if (index < 2 * SubCount)
            return (ulong)index;
        int shift = (index >> SubBits) - 1;
        ulong sub = (ulong)(index - (shift << SubBits));
        return (sub << shift) + ((1ul << shift) - 1);
    }
}
