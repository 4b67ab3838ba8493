namespace VfioUser.Nvme;

/// <summary>How to wait for what a guest writes to memory, which nobody announces.</summary>
internal static class PollingIntervals
{
    /// <summary>How long after the last command the pauses between two polls are short.</summary>
    public static readonly TimeSpan PauseUntil = TimeSpan.FromMilliseconds(20);

    public static readonly TimeSpan LongestSleep = TimeSpan.FromMilliseconds(10);

    /// <summary>For a queue whose commands are in no hurry.</summary>
    public static readonly IdleStrategy Rarely = new() { LongestSleep = LongestSleep };

    /// <summary>For a thread that is woken.</summary>
    public static readonly IdleStrategy Never = new();
}
