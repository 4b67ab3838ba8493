namespace VfioUser;

/// <summary>The result of <see cref="DevicePoller.Process"/>. Immutable.</summary>
public readonly record struct PollResult
{
    internal PollResult(PollEvents events, int commands) => (Events, Commands) = (events, commands);

    /// <summary>What was done, and what is waited for.</summary>
    public PollEvents Events { get; }

    /// <summary>Number of commands handled.</summary>
    public int Commands { get; }
}
