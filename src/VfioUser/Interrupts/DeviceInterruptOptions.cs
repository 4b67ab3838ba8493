namespace VfioUser;

/// <summary>Options for interrupts of which the driver chooses the kind. Immutable.</summary>
public sealed record DeviceInterruptOptions
{
    /// <summary>How many vectors the device uses: 1 to 2048.</summary>
    public int Vectors { get; init; } = 1;

    /// <summary>The BAR of the MSI-X table; null for a device without MSI-X.</summary>
    public Bar? MsiXBar { get; init; }

    /// <summary>Offset of the MSI-X table in <see cref="MsiXBar"/>, a multiple of 8.</summary>
    public long MsiXOffset { get; init; }

    /// <summary>More options for MSI-X.</summary>
    public MsiXOptions MsiX { get; init; } = new();

    /// <summary>Whether there is MSI, with <see cref="Vectors"/> rounded up to a power of two, and 32 at most.</summary>
    public bool Msi { get; init; } = true;

    /// <summary>Whether the guest can mask single MSI vectors.</summary>
    public bool MsiPerVectorMask { get; init; }

    /// <summary>Whether there is a cause for INTx now: something that the driver has enabled and not acknowledged. Null for a device
    /// without INTx.</summary>
    /// <remarks>Called on any thread, one at a time, with a lock held: it reads registers and does not block.</remarks>
    public Func<bool>? HasCause { get; init; }
}
