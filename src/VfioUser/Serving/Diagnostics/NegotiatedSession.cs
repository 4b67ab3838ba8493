using VfioUser.Protocol;

namespace VfioUser;

/// <summary>What a client and the server agreed on. Immutable.</summary>
/// <param name="Version">The version of both.</param>
/// <param name="HasTwinSocket">Whether the server sends its commands on a socket of their own.</param>
/// <param name="Proposed">The client's capabilities.</param>
/// <param name="Began">When.</param>
internal sealed record NegotiatedSession(ProtocolVersion Version, bool HasTwinSocket, Capabilities Proposed, DateTimeOffset Began);
