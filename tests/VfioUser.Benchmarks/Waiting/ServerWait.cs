namespace VfioUser.Benchmarks;

/// <summary>How a server waits for its next command.</summary>
internal enum ServerWait
{
    /// <summary>Bare calls that sleep at once.</summary>
    Floor,

    /// <summary>The library without polling.</summary>
    Sleeping,

    /// <summary>The library as it is by default.</summary>
    Adaptive,

    /// <summary>The library when each wait polls for 100 µs.</summary>
    Spinning,
}
