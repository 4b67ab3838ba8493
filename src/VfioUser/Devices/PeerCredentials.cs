namespace VfioUser;

/// <summary>Credentials of a socket's peer, as recorded by the kernel when it connected. Immutable.</summary>
/// <param name="ProcessId">In the server's PID namespace; 0 if it is not visible there.</param>
/// <param name="UserId">Effective user ID.</param>
/// <param name="GroupId">Effective group ID.</param>
public readonly record struct PeerCredentials(int ProcessId, uint UserId, uint GroupId);
