using System.Numerics;

namespace VfioUser;

/// <summary>Options for the PCI Express capability.</summary>
/// <remarks>Immutable. PCI Express 2.0 7.8.</remarks>
public sealed record PciExpressOptions
{
    /// <summary>What kind of endpoint.</summary>
    public PciExpressType Type { get; init; } = PciExpressType.Endpoint;

    /// <summary>Whether a guest can reset the device through the capability. The device handles it like any other
    /// reset.</summary>
    public bool FunctionLevelReset { get; init; } = true;

    /// <summary>Largest payload in bytes: a power of two, 128 to 4096.</summary>
    public int MaxPayload { get; init; } = 128;

    /// <summary>Speed of the link. Linux logs a warning if the slot is slower.</summary>
    public PciExpressLinkSpeed LinkSpeed { get; init; } = PciExpressLinkSpeed.Gen1;

    /// <summary>Lanes of the link.</summary>
    public PciExpressLinkWidth LinkWidth { get; init; } = PciExpressLinkWidth.X1;

    internal void Check(string parameter)
    {
        if (!Enum.IsDefined(Type))
            throw new ArgumentException($"Type {Type} is no endpoint: use a named PciExpressType.", parameter);
        if (!BitOperations.IsPow2(MaxPayload) || MaxPayload is < 128 or > 4096)
            throw new ArgumentException($"MaxPayload {MaxPayload} is not a power of two from 128 to 4096.", parameter);
        if (!Enum.IsDefined(LinkSpeed))
            throw new ArgumentException($"LinkSpeed {LinkSpeed} is no speed: use a named PciExpressLinkSpeed.", parameter);
        if (!Enum.IsDefined(LinkWidth))
            throw new ArgumentException($"LinkWidth {LinkWidth} is no width: use a named PciExpressLinkWidth.", parameter);
    }
}

/// <summary>Kinds of PCI Express endpoints.</summary>
/// <remarks>Immutable. Values of the Device/Port Type field of the PCI Express Capabilities register.</remarks>
public enum PciExpressType
{
    /// <summary>An endpoint that works without I/O space.</summary>
    Endpoint = 0,

    /// <summary>An endpoint that needs I/O space.</summary>
    LegacyEndpoint = 1,

    /// <summary>An endpoint within the root complex: it has no link.</summary>
    RootComplexIntegratedEndpoint = 9,
}
