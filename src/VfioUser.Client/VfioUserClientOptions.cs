using VfioUser.Protocol;

namespace VfioUser.Client;

/// <summary>What a client proposes and how patient it is. Immutable.</summary>
public sealed record VfioUserClientOptions
{
    /// <summary>The version to propose.</summary>
    public ProtocolVersion Version { get; init; } = Negotiator.Version;

    /// <summary>What to propose, apart from the twin socket.</summary>
    public Capabilities Capabilities { get; init; } = Capabilities.ClientDefaults with
    {
        Migration = new MigrationCapability { PageSize = ProtocolLimits.PageSize, MaxBitmapSize = ProtocolLimits.MaxBitmapSize },
    };

    /// <summary>Whether to offer a socket of their own for the server's commands, and to insist on it.</summary>
    public TwinSocketPolicy TwinSocket { get; init; } = TwinSocketPolicy.Prefer;

    /// <summary>How long the server may take to answer a command, or to read what it is sent.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long to wait for a server that accepts nobody, and whose queue of connections is full.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Ends the conversation: connecting and all calls, those that wait and those to come, fail with an
    /// <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>
    /// Answers the server's reads and writes of memory that it cannot reach by itself. Null when all memory is shared by
    /// descriptor: then a server that asks all the same is refused on a twin socket, and is not heard on the main one.
    /// </summary>
    public IDmaHandler? DmaHandler { get; init; }
}
