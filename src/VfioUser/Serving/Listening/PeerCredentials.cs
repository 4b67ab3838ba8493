namespace VfioUser;

/// <summary>Who is at the other end of a socket, as the kernel saw them connect. Immutable.</summary>
/// <param name="ProcessId">In the server's PID namespace; 0 if it is not visible there.</param>
/// <param name="UserId">Effective user.</param>
/// <param name="GroupId">Effective group.</param>
public readonly record struct PeerCredentials(int ProcessId, uint UserId, uint GroupId);
