using System.Diagnostics.CodeAnalysis;

namespace VfioUser.Protocol;

/// <summary>A server's reply to a version message.</summary>
/// <param name="Version">The version that both will speak.</param>
/// <param name="Capabilities">What goes into the reply. With a twin socket its descriptor must be the reply's only one.</param>
/// <remarks>Immutable.</remarks>
[Experimental(Experiments.Transport)]
public sealed record NegotiatedReply(ProtocolVersion Version, Capabilities Capabilities)
{
    /// <summary>True if the server has to make a socket pair and send the client's end with the reply, at index 0.</summary>
    public bool HasTwinSocket => Capabilities.TwinSocket is { Supported: true };
}
