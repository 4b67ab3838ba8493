namespace VfioUser;

/// <summary>When an <see cref="InterruptCoalescer"/> interrupts: as soon as any of these says so. Immutable.</summary>
public readonly record struct InterruptCoalescing
{
    /// <summary>Time since the last event, which each event begins again; zero interrupts at once.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Time since the first event that waits; zero for no limit. If it is not longer than <see cref="Delay"/>, it alone
    /// counts.</summary>
    public TimeSpan MaxDelay { get; init; }

    /// <summary>How many events wait at most; zero for no limit.</summary>
    public int MaxEvents { get; init; }
}
