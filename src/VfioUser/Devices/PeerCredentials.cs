namespace VfioUser;

/// <summary>Credentials of a socket's peer, as recorded by the kernel when it connected. Immutable.</summary>
public readonly record struct PeerCredentials
{
    internal PeerCredentials(int processId, uint userId, uint groupId) => (ProcessId, UserId, GroupId) = (processId, userId, groupId);

    /// <summary>In the server's PID namespace; 0 if it is not visible there.</summary>
    public int ProcessId { get; }

    /// <summary>Effective user ID.</summary>
    public uint UserId { get; }

    /// <summary>Effective group ID.</summary>
    public uint GroupId { get; }
}
