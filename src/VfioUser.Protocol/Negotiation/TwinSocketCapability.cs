namespace VfioUser.Protocol;

/// <summary>The <c>twin_socket</c> object: a separate socket for server-to-client commands.</summary>
/// <param name="Supported">In a proposal: the client can use one. In a reply: there is one. False if absent.</param>
/// <param name="FdIndex">
/// In a reply, which of its descriptors is the client's end of the socket; null if absent. As received it can be
/// any number, valid index or not. Without meaning in a proposal.
/// </param>
/// <remarks>Immutable. Spec: VFIO_USER_VERSION.</remarks>
public sealed record TwinSocketCapability(bool Supported, int? FdIndex = null);
