using System.Diagnostics.CodeAnalysis;

namespace VfioUser.Protocol;

/// <summary>Receives every message that a socket sends and receives, for logs.</summary>
/// <remarks>Any thread, concurrently.</remarks>
[Experimental(Experiments.Transport)]
public interface IMessageTrace
{
    /// <summary>Whether tracing is enabled now; checked once for messages sent or received together.</summary>
    bool IsEnabled { get; }

    /// <summary>A message was received, or is about to be sent.</summary>
    /// <param name="sent">True if it is sent.</param>
    /// <param name="header">Its header.</param>
    /// <param name="payload">Its payload, possibly only the start of it; valid for the call only.</param>
    /// <param name="fdCount">Number of its descriptors.</param>
    void Message(bool sent, in MessageHeader header, ReadOnlySpan<byte> payload, int fdCount);
}
