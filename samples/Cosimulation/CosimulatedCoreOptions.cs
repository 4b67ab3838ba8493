using VfioUser;

namespace Cosimulation;

/// <summary>Where a model is in its device. Immutable.</summary>
public sealed record CosimulatedCoreOptions
{
    /// <summary>Number of the BAR with the model's registers.</summary>
    public int RegisterBar { get; init; }

    /// <summary>Size of that BAR; the model's <c>reg_addr</c> has as many bits as its offsets.</summary>
    public long RegisterSize { get; init; } = 0x1000;

    /// <summary>The BAR of the MSI-X table, which the library has; null for a device without MSI-X.</summary>
    public Bar? MsiXBar { get; init; }

    /// <summary>How many interrupt wires the model has: 1 to 32, each a vector.</summary>
    public int Interrupts { get; init; } = 1;

    /// <summary>How long the model may take for an access to a register before it counts as broken. A virtual CPU waits meanwhile.</summary>
    public int MaxAccessCycles { get; init; } = 10_000;

    /// <summary>For how many cycles at a time the clock runs. An access of the guest waits for the rest of a turn; fewer cycles for models
    /// that take long for each.</summary>
    public int TurnCycles { get; init; } = 256;

    /// <summary>For how many cycles a reset is held.</summary>
    public int ResetCycles { get; init; } = 8;
}
