namespace E1000.Network;

/// <summary>A port of a <see cref="Switch"/>, as the station behind it sees it. Any thread.</summary>
public abstract class SwitchPort : INetworkPort, IDisposable
{
    private protected SwitchPort()
    {
    }

    /// <inheritdoc/>
    public abstract void Send(ReadOnlySpan<byte> frame);

    /// <summary>Unplugs the station: nothing more comes from the switch.</summary>
    public abstract void Dispose();
}
