using System.Diagnostics.CodeAnalysis;

namespace VfioUser.Protocol;

/// <summary>A received message: header, payload and descriptors.</summary>
/// <remarks>The payload is in the receive buffer: it is valid until the next message is taken.</remarks>
[Experimental(Experiments.Transport)]
public readonly struct ReceivedMessage : IEquatable<ReceivedMessage>
{
    private readonly byte[]? _buffer;
    private readonly int _offset;

    /// <param name="header">The header in the buffer, with a valid size.</param>
    /// <param name="buffer">Contains the whole message.</param>
    /// <param name="offset">Of the header.</param>
    /// <param name="fds">Its descriptors.</param>
    /// <param name="fdProblem">See <see cref="FdProblem"/>.</param>
    internal ReceivedMessage(in MessageHeader header, byte[] buffer, int offset, FdList? fds, Errno fdProblem)
    {
        Header = header;
        _buffer = buffer;
        _offset = offset;
        Fds = fds;
        FdProblem = fdProblem;
    }

    /// <summary>The header, with a valid size.</summary>
    public MessageHeader Header { get; }

    /// <summary>The payload; may be empty.</summary>
    public ReadOnlySpan<byte> Payload => _buffer is null
        ? default
        : _buffer.AsSpan(_offset + MessageHeader.WireSize, (int)Header.MessageSize - MessageHeader.WireSize);

    /// <summary>Its descriptors, or null. The handler of the message disposes them.</summary>
    public FdList? Fds { get; }

    /// <summary>Number of its descriptors.</summary>
    public int FdCount => Fds?.Count ?? 0;

    /// <summary>
    /// Set if descriptors were lost: <see cref="Errno.EINVAL"/> if there were more than a message may have,
    /// <see cref="Errno.EMFILE"/> if this process could not open as many. A message that needs them must be refused.
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
