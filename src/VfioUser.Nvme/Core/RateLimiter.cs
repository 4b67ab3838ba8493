namespace VfioUser.Nvme;

/// <summary>The token buckets of a namespace.</summary>
/// <remarks>Any thread. A bucket is the time when it is full again, in seconds: a command moves it by what it costs, and waits as long as
/// that time is further away than the bucket is deep.</remarks>
/// <param name="limit">The rates.</param>
/// <param name="clock">The clock by now: if it is another one, the buckets are full.</param>
internal sealed class RateLimiter(NvmeRateLimit limit, Func<TimeProvider> clock)
{
    private readonly Lock _lock = new();
    private TimeProvider? _clock;
    private long _epoch;
    private double _commandsFull;
    private double _bytesFull;

    /// <summary>Takes tokens, of the future if there are none.</summary>
    /// <returns>How long to wait for them.</returns>
    public TimeSpan Take(long bytes)
    {
        lock (_lock)
        {
            double now = Now();
            double wait = Math.Max(Take(ref _commandsFull, now, Cost(1, limit.Commands)), Take(ref _bytesFull, now, Cost(bytes, limit.Bytes)));
            return wait > 0 ? TimeSpan.FromSeconds(wait) : TimeSpan.Zero;
        }
    }

    /// <summary>Gives tokens back that were taken and are not used.</summary>
    public void Return(long bytes)
    {
        lock (_lock)
        {
            _commandsFull -= Cost(1, limit.Commands);
            _bytesFull -= Cost(bytes, limit.Bytes);
        }
    }

    private double Now()
    {
        TimeProvider time = clock();
        if (time != _clock)
            (_clock, _epoch, _commandsFull, _bytesFull) = (time, time.GetTimestamp(), 0, 0);
        return (double)(time.GetTimestamp() - _epoch) / time.TimestampFrequency;
    }

    // A command may take more than the bucket holds: it begins as soon as there is anything in it, and those behind it wait.
    private double Take(ref double full, double now, double cost)
    {
        if (cost == 0)
            return 0;
        double wait = full - now - limit.Burst.TotalSeconds;
        full = Math.Max(full, now) + cost;
        return wait;
    }

    private static double Cost(long tokens, long? rate) => rate is { } perSecond ? (double)tokens / perSecond : 0;
}
