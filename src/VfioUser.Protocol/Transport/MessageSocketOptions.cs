namespace VfioUser.Protocol;

/// <summary>How a <see cref="MessageSocket"/> treats its socket. Immutable.</summary>
public sealed record MessageSocketOptions
{
    /// <summary>Descriptors that one message may bring; with more it is refused. From 0 to 64.</summary>
    public int MaxMessageFds { get; init; } = ProtocolLimits.MaxMessageFds;

    /// <summary>Largest message that is received, header included, in bytes.</summary>
    public int MaxMessageSize { get; init; } = ProtocolLimits.MaxMessageSize;

    /// <summary>
    /// How long a receive looks again and again before it goes to sleep. Zero, the default, sleeps at once.
    /// Some tens of microseconds buy latency for a core's time.
    /// </summary>
    public TimeSpan Spin { get; init; }

    /// <summary>Sees all messages; null for nobody.</summary>
    public IMessageTrace? Trace { get; init; }

    /// <summary>Bytes of socket buffer to ask the kernel for in each direction; it may grant less. Null leaves its default.</summary>
    public int? SocketBufferSize { get; init; } = 1 << 20;
}
