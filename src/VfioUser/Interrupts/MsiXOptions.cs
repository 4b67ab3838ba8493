namespace VfioUser;

/// <summary>Options for MSI-X. Immutable.</summary>
public sealed record MsiXOptions
{
    /// <summary>Offset of the pending bit array (PBA) in its BAR, a multiple of 8. Null: right after the table, or at offset 0 of
    /// <see cref="PendingBar"/>.</summary>
    public long? PendingOffset { get; init; }

    /// <summary>The BAR of the pending bit array; null for that of the table.</summary>
    public Bar? PendingBar { get; init; }

    /// <summary>Offset of the capability in configuration space, a multiple of 4 from 0x40; null for the first free one.</summary>
    public int? CapabilityOffset { get; init; }
}
