namespace VfioUser;

/// <summary>Where the parts of MSI-X lie. Immutable.</summary>
public sealed record MsiXOptions
{
    /// <summary>First byte of the pending bits in their BAR, a multiple of 8. When null, right behind the table, or at 0 of
    /// <see cref="PendingBar"/>.</summary>
    public uint? PendingOffset { get; init; }

    /// <summary>The BAR of the pending bits; null for that of the table.</summary>
    public Bar? PendingBar { get; init; }

    /// <summary>Of the capability in the configuration space, a multiple of 4 from 0x40; null for the first place that is free.</summary>
    public int? CapabilityOffset { get; init; }
}
