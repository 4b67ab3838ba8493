namespace E1000.Network;

/// <summary>Where Ethernet frames can be sent to: a card, a switch, a file. Any thread.</summary>
public interface INetworkPort
{
    /// <summary>Takes a frame, or loses it, as Ethernet may. Returns at once and calls nobody back.</summary>
    /// <param name="frame">From the destination's address to the end of the data, without the check sequence. Copied.</param>
    void Send(ReadOnlySpan<byte> frame);
}
