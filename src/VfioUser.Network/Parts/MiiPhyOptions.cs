namespace VfioUser.Network;

/// <summary>How a <see cref="MiiPhy"/> is made. Immutable.</summary>
public sealed record MiiPhyOptions
{
    /// <summary>By which a driver knows it: registers 2 (high half) and 3, which have the vendor's OUI, model and revision.</summary>
    public required uint Id { get; init; }

    /// <summary>At which it answers on the management bus, 0 to 31.</summary>
    public int Address { get; init; } = 1;

    /// <summary>What it can do, and advertises after a reset.</summary>
    public LinkModes Modes { get; init; } = LinkModes.GigabitEthernet;
}
