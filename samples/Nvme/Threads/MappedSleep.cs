namespace Nvme.Threads;

/// <summary>How long a thread sleeps between two looks at memory whose changes nobody announces.</summary>
internal static class MappedSleep
{
    /// <summary>How long after the last ring the sleeps are short.</summary>
    public static readonly TimeSpan NapFor = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(10);

    /// <param name="idle">For how long there was nothing.</param>
    public static TimeSpan After(TimeSpan idle) => idle / 8 < Shortest ? Shortest : idle / 8 > Longest ? Longest : idle / 8;
}
