namespace VfioUser;

/// <summary>The end of a client's connection. Immutable.</summary>
public sealed class ClientDisconnect
{
    internal ClientDisconnect(PeerCredentials peer, DisconnectReason reason, string message) => (Peer, Reason, Message) = (peer, reason, message);

    /// <summary>The process of the client.</summary>
    public PeerCredentials Peer { get; }

    /// <summary>Why it is not connected any more.</summary>
    public DisconnectReason Reason { get; }

    /// <summary>The reason as a text, as in the log; with the text that the device gave, if it disconnected the client.</summary>
    public string Message { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Peer}: {Message}";
}
