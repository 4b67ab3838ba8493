namespace VfioUser.Protocol;

/// <summary>One message as it came from the peer: header, payload and descriptors.</summary>
/// <remarks>The payload lies in the receive buffer: it is valid until the next message is asked for.</remarks>
public readonly struct ReceivedMessage : IEquatable<ReceivedMessage>
{
    private readonly byte[]? _buffer;
    private readonly int _offset;

    /// <param name="header">As it stands in the buffer, its size checked against what was received.</param>
    /// <param name="buffer">Holds the whole message.</param>
    /// <param name="offset">Of the header.</param>
    /// <param name="fds">What came with it.</param>
    /// <param name="fdProblem">What was lost.</param>
    internal ReceivedMessage(in MessageHeader header, byte[] buffer, int offset, FdList? fds, Errno fdProblem)
    {
        Header = header;
        _buffer = buffer;
        _offset = offset;
        Fds = fds;
        FdProblem = fdProblem;
    }

    /// <summary>The header, its size checked.</summary>
    public MessageHeader Header { get; }

    /// <summary>What follows the header; may be empty.</summary>
    public ReadOnlySpan<byte> Payload => _buffer is null
        ? default
        : _buffer.AsSpan(_offset + MessageHeader.WireSize, (int)Header.MessageSize - MessageHeader.WireSize);

    /// <summary>The descriptors that came with it, or null. Whoever handles the message disposes them.</summary>
    public FdList? Fds { get; }

    /// <summary>How many descriptors came with it.</summary>
    public int FdCount => Fds?.Count ?? 0;

    /// <summary>
    /// Set when descriptors were lost: <see cref="Errno.EINVAL"/> when there were more than a message may have,
    /// <see cref="Errno.EMFILE"/> when this process could not hold them. A message that needs them must then be refused.
    /// </summary>
    public Errno FdProblem { get; }

    internal byte[] Buffer => _buffer ?? [];

    internal int HeaderOffset => _offset;

    /// <inheritdoc/>
    public bool Equals(ReceivedMessage other) =>
        Header == other.Header && _buffer == other._buffer && _offset == other._offset && Fds == other.Fds;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ReceivedMessage other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Header, _offset);

    /// <summary>Whether both are the same received message.</summary>
    public static bool operator ==(ReceivedMessage left, ReceivedMessage right) => left.Equals(right);

    /// <summary>Whether the two are different messages.</summary>
    public static bool operator !=(ReceivedMessage left, ReceivedMessage right) => !left.Equals(right);
}
