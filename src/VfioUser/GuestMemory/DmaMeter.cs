using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>Counts accesses to guest memory of one backing. Any thread.</summary>
internal sealed class DmaMeter
{
    private long _reads;
    private long _writes;
    private long _readBytes;
    private long _writtenBytes;
    private long _leases;

    /// <summary>Whether it keeps totals itself, for inspectors.</summary>
    public bool KeepsTotals { get; init; }

    /// <summary>The totals of accesses that read.</summary>
    public (long Operations, long Bytes) Read => (Interlocked.Read(ref _reads), Interlocked.Read(ref _readBytes));

    /// <summary>The totals of accesses that wrote.</summary>
    public (long Operations, long Bytes) Written => (Interlocked.Read(ref _writes), Interlocked.Read(ref _writtenBytes));

    /// <summary>The total of leases.</summary>
    public long Taken => Interlocked.Read(ref _leases);

    /// <summary>Accesses that succeeded.</summary>
    public required Counter<long> Operations { get; init; }

    /// <summary>Bytes that those read and wrote.</summary>
    public required Counter<long> Bytes { get; init; }

    public required Counter<long> Leases { get; init; }

    public required KeyValuePair<string, object?>[] ReadTags { get; init; }

    public required KeyValuePair<string, object?>[] WriteTags { get; init; }

    public required KeyValuePair<string, object?>[] LeaseTags { get; init; }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Accessed(bool write, int length)
    {
        if (KeepsTotals || Operations.Enabled || Bytes.Enabled)
            Count(write, length);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Leased()
    {
        if (KeepsTotals)
            Interlocked.Increment(ref _leases);
        if (Leases.Enabled)
            Leases.Add(1, LeaseTags);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Count(bool write, int length)
    {
        if (KeepsTotals)
        {
            Interlocked.Increment(ref write ? ref _writes : ref _reads);
            Interlocked.Add(ref write ? ref _writtenBytes : ref _readBytes, length);
        }
        KeyValuePair<string, object?>[] tags = write ? WriteTags : ReadTags;
        Operations.Add(1, tags);
        Bytes.Add(length, tags);
    }
}
