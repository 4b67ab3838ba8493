using System.Diagnostics.CodeAnalysis;

namespace VfioUser.Protocol;

/// <summary>Options for a <see cref="MessageSocket"/>. Immutable.</summary>
[Experimental(Experiments.Transport)]
public sealed record MessageSocketOptions
{
    /// <summary>Most descriptors of one received message; with more it is refused. From 0 to 64.</summary>
    public int MaxMessageFds { get; init; } = ProtocolLimits.MaxMessageFds;

    /// <summary>Size of the largest message to receive, header included, in bytes.</summary>
    public int MaxMessageSize { get; init; } = ProtocolLimits.MaxMessageSize;

    /// <summary>
    /// How long a receive polls before it sleeps. Zero, the default, sleeps at once.
    /// Some tens of microseconds reduce latency, but use a whole processor meanwhile.
    /// </summary>
    public TimeSpan Spin { get; init; }

    /// <summary>Receives all messages; null for none.</summary>
    public IMessageTrace? Trace { get; init; }

    /// <summary>Size of the socket buffer to request from the kernel, in each direction, in bytes; it may grant less. Null for its
    /// default.</summary>
    public int? SocketBufferSize { get; init; } = 1 << 20;
}
