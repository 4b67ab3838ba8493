namespace VfioUser;

/// <summary>Lanes of a PCI Express link.</summary>
/// <remarks>Immutable. Values of Maximum Link Width in the Link Capabilities register. PCI Express 5.0 7.5.3.6.</remarks>
public enum PciExpressLinkWidth
{
    /// <summary>One lane.</summary>
    X1 = 1,

    /// <summary>Two lanes.</summary>
    X2 = 2,

    /// <summary>Four lanes.</summary>
    X4 = 4,

    /// <summary>Eight lanes.</summary>
    X8 = 8,

    /// <summary>Twelve lanes.</summary>
    X12 = 12,

    /// <summary>Sixteen lanes.</summary>
    X16 = 16,

    /// <summary>Thirty-two lanes.</summary>
    X32 = 32,
}
