namespace VfioUser.Protocol;

/// <summary>What a receive brought.</summary>
public enum ReceiveStatus
{
    /// <summary>Something was received.</summary>
    Received,

    /// <summary>Nothing is there now.</summary>
    Empty,

    /// <summary>The peer has gone, or the socket was shut down.</summary>
    Closed,
}
