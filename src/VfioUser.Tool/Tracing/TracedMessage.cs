namespace VfioUser.Tool.Tracing;

/// <summary>What passes by: a message, or a piece of something that is none. Valid for a call.</summary>
internal readonly ref struct TracedMessage
{
    /// <summary>Which client's, from 1.</summary>
    public required int Client { get; init; }

    /// <summary>Since the trace began.</summary>
    public required TimeSpan Time { get; init; }

    public required Way Way { get; init; }

    /// <summary>Whether <see cref="Bytes"/> is one whole message, header included.</summary>
    public required bool IsWhole { get; init; }

    public required ReadOnlySpan<byte> Bytes { get; init; }

    public required IReadOnlyList<FdFacts> Fds { get; init; }
}
