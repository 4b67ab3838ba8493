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

    /// <summary>How long a receive polls before it sleeps, at most: it polls where the last waits were shorter than that. Zero sleeps
    /// at once. Uses a whole processor meanwhile.</summary>
    public TimeSpan Spin { get; init; } = AdaptiveSpin.DefaultLimit;

    /// <summary>Whether each receive polls for all of <see cref="Spin"/>.</summary>
    public bool IsSpinFixed { get; init; }

    /// <summary>Receives all messages; null for none.</summary>
    public IMessageTrace? Trace { get; init; }

    /// <summary>Size of the socket buffer to request from the kernel, in each direction, in bytes; it may grant less. Null for its
    /// default.</summary>
    public int? SocketBufferSize { get; init; } = 1 << 20;
}
