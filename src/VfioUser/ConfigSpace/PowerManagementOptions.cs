namespace VfioUser;

/// <summary>Power management features of a device beyond D0 and D3hot.</summary>
/// <remarks>Immutable. PCI Power Management 1.2, 3.2.3.</remarks>
public sealed record PowerManagementOptions
{
    /// <summary>Whether a guest can choose D1.</summary>
    public bool D1 { get; init; }

    /// <summary>Whether a guest can choose D2.</summary>
    public bool D2 { get; init; }

    /// <summary>The states from which the device can wake the guest.</summary>
    public PmeStates Pme { get; init; }

    internal void Check(string parameter)
    {
        const PmeStates Known = PmeStates.D0 | PmeStates.D1 | PmeStates.D2 | PmeStates.D3Hot | PmeStates.D3Cold;
        bool impossible = (Pme & ~Known) != PmeStates.None || (Pme.HasFlag(PmeStates.D1) && !D1) || (Pme.HasFlag(PmeStates.D2) && !D2);
        if (impossible)
            throw new ArgumentException($"PME from {Pme} needs the states themselves: set D1 or D2 too, or leave them out.", parameter);
    }
}

/// <summary>States from which a device can signal a power management event.</summary>
/// <remarks>Immutable. The bits of PMC 15:11.</remarks>
[Flags]
public enum PmeStates
{
    /// <summary>It cannot.</summary>
    None = 0,

    /// <summary>From D0.</summary>
    D0 = 0x01,

    /// <summary>From D1.</summary>
    D1 = 0x02,

    /// <summary>From D2.</summary>
    D2 = 0x04,

    /// <summary>From D3hot.</summary>
    D3Hot = 0x08,

    /// <summary>From D3cold.</summary>
    D3Cold = 0x10,
}
