using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>Counts accesses to guest memory of one backing. Immutable; any thread.</summary>
internal sealed class DmaMeter
{
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
        if (Operations.Enabled || Bytes.Enabled)
            Count(write, length);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Leased()
    {
        if (Leases.Enabled)
            Leases.Add(1, LeaseTags);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Count(bool write, int length)
    {
        KeyValuePair<string, object?>[] tags = write ? WriteTags : ReadTags;
        Operations.Add(1, tags);
        Bytes.Add(length, tags);
    }
}
