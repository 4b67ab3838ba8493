namespace VfioUser.Protocol;

/// <summary>The peer broke the framing or the rules of negotiation: the stream cannot be used any more.</summary>
public sealed class ProtocolException : Exception
{
    /// <summary>A broken stream, with the text for a log.</summary>
    public ProtocolException(string message)
        : base(message)
    {
    }

    /// <summary>A broken stream, with what was noticed first.</summary>
    public ProtocolException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>A broken stream.</summary>
    public ProtocolException()
    {
    }

    /// <summary>The header that was at fault, when one could be read.</summary>
    public MessageHeader? Header { get; init; }
}
