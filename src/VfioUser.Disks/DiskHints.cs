namespace VfioUser.Disks;

/// <summary>What drivers may know of a disk's accesses: they align what they can. Lengths in bytes, powers of two; 0 for what the disk
/// does not say. Immutable.</summary>
public sealed record DiskHints
{
    /// <summary>A disk that says nothing.</summary>
    public static DiskHints None { get; } = new();

    /// <summary>The smallest access that the disk can make, and what offsets and lengths are multiples of: a namespace on it has no
    /// smaller blocks.</summary>
    public int BlockSize { get; init; }

    /// <summary>Writes up to this length, at a multiple of it, are seen by others, and survive a power loss, as a whole or not at all.
    /// NVMe 1.4 6.4.</summary>
    public int AtomicWriteLength { get; init; }

    /// <summary>Writes of multiples of this length, at multiples of it, are fastest: a page, a cluster, a stripe. NVMe 1.4 8.25.</summary>
    public int PreferredWriteLength { get; init; }

    /// <summary>What is deallocated in smaller pieces is not freed. NVMe 1.4 8.25.</summary>
    public int DeallocationLength { get; init; }

    /// <summary>Accesses that cross a multiple of this length are slower: a stripe. Linux splits them there. NVMe 1.4 figure 245, NOIOB.</summary>
    public int BoundaryLength { get; init; }

    internal void Check()
    {
        foreach (int length in (ReadOnlySpan<int>)[BlockSize, AtomicWriteLength, PreferredWriteLength, DeallocationLength, BoundaryLength])
        {
            if (length < 0 || (length & (length - 1)) != 0)
                throw new ArgumentException($"A disk's hints are powers of two, not {length}.");
        }
    }
}
