namespace VfioUser;

/// <summary>Options for MSI-X. Immutable.</summary>
public sealed record MsiXOptions
{
    /// <summary>Offset of the pending bit array (PBA) in its BAR, a multiple of 8. Null: right after the table, or at offset 0 of
    /// <see cref="PendingBar"/>.</summary>
    public long? PendingOffset { get; init; }

    /// <summary>The BAR of the pending bit array; null for that of the table.</summary>
    public Bar? PendingBar { get; init; }

    /// <summary>Whether the device itself implements the vector table and the pending bits: by registers, memory or the handler of the
    /// BAR. The library then only declares where they are, in the capability, and signals the vectors.</summary>
    /// <remarks>For devices that read their table. A guest's writes reach it only through clients that do not emulate it; QEMU
    /// emulates it. The device resets and saves it; <see cref="Irq.IsPending"/> gives the pending bits.</remarks>
    public bool OwnTable { get; init; }

    /// <summary>Offset of the capability in configuration space, a multiple of 4 from 0x40; null for the first free one.</summary>
    public int? CapabilityOffset { get; init; }
}
