namespace VfioUser.Protocol;

/// <summary>The peer violated the framing or the rules of negotiation: the stream cannot be used any more.</summary>
public sealed class ProtocolException : Exception
{
    /// <summary>Creates the exception with a message for a log.</summary>
    public ProtocolException(string message)
        : base(message)
    {
    }

    /// <summary>Creates the exception with a message and its cause.</summary>
    public ProtocolException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception.</summary>
    public ProtocolException()
    {
    }

    /// <summary>The invalid header, if one could be read.</summary>
    public MessageHeader? Header { get; init; }
}
