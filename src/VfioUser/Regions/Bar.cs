using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>A base address register, and the region whose address it holds.</summary>
/// <remarks>Setup, except where noted. PCI 3.0 6.2.5.1.</remarks>
public sealed class Bar : Region
{
    private const int TableEntrySize = 16;

    internal Bar(PciDevice device, int number, BarKind kind, long size, bool writable, IRegionHandler? handler)
        : base(device, (RegionIndex)number, size, writable, handler)
    {
        Number = number;
        Kind = kind;
    }

    /// <summary>0 to 5. A 64-bit BAR takes the next number, too.</summary>
    public int Number { get; }

    /// <summary>Address space and width.</summary>
    public BarKind Kind { get; }

    /// <summary>The address that the guest assigned, 0 before. Any thread.</summary>
    public ulong Address => Device.Config.BarAddress(Number);

    /// <summary>Adds MSI-X, with vector table and pending bit array (PBA) in this BAR.</summary>
    /// <param name="offset">Of the table, a multiple of 8; it takes 16 bytes per vector.</param>
    /// <param name="vectors">1 to 2048.</param>
    /// <param name="pendingOffset">Of the PBA, which takes a bit per vector; a multiple of 8. Null: right after the table.</param>
    /// <returns>The vectors.</returns>
    /// <exception cref="ArgumentException">It does not fit, or the BAR is in I/O space.</exception>
    /// <remarks>Setup. PCI 3.0 6.8.2. Put the table on a page of its own, so that clients can map the rest of the BAR.</remarks>
    public IrqVectors AddMsiX(long offset, int vectors, long? pendingOffset = null) =>
        AddMsiX(offset, vectors, new MsiXOptions { PendingOffset = pendingOffset });

    /// <summary>Adds MSI-X with options, with the vector table in this BAR.</summary>
    /// <inheritdoc cref="AddMsiX(long, int, long?)"/>
    [OverloadResolutionPriority(1)] // for new() { ... }
    public IrqVectors AddMsiX(long offset, int vectors, MsiXOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (Kind == BarKind.Io)
            throw new ArgumentException($"BAR {Number} is in I/O space; the MSI-X table needs memory.");
        ArgumentOutOfRangeException.ThrowIfLessThan(vectors, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vectors, 2048);
        Bar pendingBar = options.PendingBar ?? this;
        if (pendingBar.Device != Device)
            throw new ArgumentException("The BAR of the pending bit array belongs to another device.", nameof(options));
        long tableSize = vectors * TableEntrySize;
        long pending = options.PendingOffset ?? (pendingBar == this ? offset + tableSize : 0);
        IrqVectors irqs = Device.AddMsiX(vectors, Number, offset, pendingBar.Number, pending, options.CapabilityOffset);
        if (options.OwnTable)
            return irqs;
        Add(new VectorTablePart(offset, tableSize), $"MSI-X table at 0x{offset:x}");
        pendingBar.Add(new PendingBitsPart(pending, irqs), $"MSI-X pending bits at 0x{pending:x}");
        return irqs;
    }
}
