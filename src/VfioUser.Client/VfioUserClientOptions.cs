using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>Options for a client: its proposal and its timeouts. Immutable.</summary>
public sealed record VfioUserClientOptions
{
    /// <summary>The version to propose.</summary>
    public ProtocolVersion Version { get; init; } = Negotiator.Version;

    /// <summary>The capabilities to propose, apart from the twin socket.</summary>
    public Capabilities Capabilities { get; init; } = Capabilities.ClientDefaults with
    {
        Migration = new MigrationCapability { PageSize = ProtocolLimits.PageSize, MaxBitmapSize = ProtocolLimits.MaxBitmapSize },
    };

    /// <summary>Whether to offer a separate socket for the server's commands, or to require it.</summary>
    public TwinSocketPolicy TwinSocket { get; init; } = TwinSocketPolicy.Prefer;

    /// <summary>How long the server may take to answer a command, or to read it.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a thread polls for the server's reply before it sleeps, at most: it polls while the last replies came sooner
    /// than that. Default 100 µs; zero to sleep at once. Uses a whole processor meanwhile.</summary>
    public TimeSpan Spin { get; init; } = AdaptiveSpin.DefaultLimit;

    /// <summary>How long to wait for room in the queue of a server that accepts nobody.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Ends the connection: connecting and all calls, waiting ones and later ones, fail with an
    /// <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>
    /// Answers the server's DMA_READ and DMA_WRITE messages. Null when all memory is shared by descriptor: then such a
    /// message gets an error on a twin socket, and no reply on the main one.
    /// </summary>
    public IDmaHandler? DmaHandler { get; init; }
}
