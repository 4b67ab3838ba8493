namespace VfioUser.Protocol;

/// <summary>Sees every message that a socket sends and receives, for logs.</summary>
/// <remarks>Any thread, several at once.</remarks>
public interface IMessageTrace
{
    /// <summary>Whether anybody wants to know now; asked once for what is sent or received together.</summary>
    bool IsEnabled { get; }

    /// <summary>A message was received, or is about to be sent.</summary>
    /// <param name="sent">True if it is sent.</param>
    /// <param name="header">Its header.</param>
    /// <param name="payload">What follows the header, as far as it is at hand; valid for the call only.</param>
    /// <param name="fdCount">How many descriptors go with it.</param>
    void Message(bool sent, in MessageHeader header, ReadOnlySpan<byte> payload, int fdCount);
}
