namespace VfioUser;

/// <summary>Device power states, as a guest writes them to PMCSR.</summary>
/// <remarks>Immutable. PCI Power Management 1.2, 3.2.4.</remarks>
public enum PowerState
{
    /// <summary>On.</summary>
    D0 = 0,

    /// <summary>Light sleep; optional.</summary>
    D1 = 1,

    /// <summary>Deeper sleep; optional.</summary>
    D2 = 2,

    /// <summary>Off, but with power: only configuration space answers.</summary>
    D3Hot = 3,
}
