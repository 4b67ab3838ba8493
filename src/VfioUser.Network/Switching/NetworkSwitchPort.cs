namespace VfioUser.Network;

/// <summary>A port of a <see cref="NetworkSwitch"/>, as the station behind it sees it. Any thread.</summary>
public abstract class NetworkSwitchPort : INetworkPort, IDisposable
{
    private protected NetworkSwitchPort()
    {
    }

    /// <inheritdoc/>
    public PortOffloads Offloads => PortOffloads.All;

    /// <inheritdoc/>
    public abstract void Send(in NetworkFrame frame);

    /// <summary>Unplugs the station: nothing more comes from the switch, and its addresses are forgotten.</summary>
    public abstract void Dispose();
}
