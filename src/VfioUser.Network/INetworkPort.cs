namespace VfioUser.Network;

/// <summary>Where Ethernet frames can be sent to: a network device, a switch, an interface of the host, a file.</summary>
/// <remarks>Any thread, several at a time.</remarks>
public interface INetworkPort
{
    /// <summary>What a frame may leave to this port. A frame that leaves more is sent by <see cref="NetworkFrame.SendTo"/>, which does
    /// that work before.</summary>
    PortOffloads Offloads => PortOffloads.None;

    /// <summary>Takes a frame, or loses it, as Ethernet may. Returns at once, and sends nothing back from within.</summary>
    /// <param name="frame">Copied before the call returns. It leaves no work that <see cref="Offloads"/> does not have.</param>
    void Send(in NetworkFrame frame);
}
