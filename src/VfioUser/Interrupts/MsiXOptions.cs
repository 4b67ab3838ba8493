namespace VfioUser;

/// <summary>Options for MSI-X. Immutable.</summary>
public sealed record MsiXOptions
{
    /// <summary>Offset of the pending bit array (PBA) in its BAR, a multiple of 8. Null: right after the table, or at offset 0 of
    /// <see cref="PendingBar"/>.</summary>
    public long? PendingOffset { get; init; }

    /// <summary>The BAR of the pending bit array; null for that of the table.</summary>
    public Bar? PendingBar { get; init; }

    /// <summary>Whether the device itself answers for the vector table and the pending bits: by registers, memory or the handler of the
    /// BAR. The library then only tells the guest where they are, and signals the vectors.</summary>
    /// <remarks>For devices that look into their table. A guest's writes reach it only through clients that do not emulate it: QEMU
    /// does. The device resets and saves it, and <see cref="Irq.IsPending"/> says what the pending bits are.</remarks>
    public bool OwnTable { get; init; }

    /// <summary>Offset of the capability in configuration space, a multiple of 4 from 0x40; null for the first free one.</summary>
    public int? CapabilityOffset { get; init; }
}
