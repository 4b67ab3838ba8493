namespace VfioUser.Tool.Tracing;

/// <summary>A message in a trace, or bytes that are no whole message. Valid during the call.</summary>
internal readonly ref struct TracedMessage
{
    /// <summary>Number of the client, from 1.</summary>
    public required int Client { get; init; }

    /// <summary>Since the trace began.</summary>
    public required TimeSpan Time { get; init; }

    public required Way Way { get; init; }

    /// <summary>Whether <see cref="Bytes"/> is one whole message, header included.</summary>
    public required bool IsWhole { get; init; }

    public required ReadOnlySpan<byte> Bytes { get; init; }

    public required IReadOnlyList<FdFacts> Fds { get; init; }
}
