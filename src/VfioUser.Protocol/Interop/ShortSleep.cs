namespace VfioUser.Protocol.Interop;

/// <summary>Sleeps that are shorter than a millisecond.</summary>
internal static class ShortSleep
{
    /// <summary>Sleeps about as long; what was asked for, and some 50 µs for the kernel to come back.</summary>
    public static void For(TimeSpan time)
    {
        Libc.TimeSpec wanted = new((long)time.TotalSeconds, time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick);
        // a signal that ends it early does no harm
        _ = Libc.ClockNanosleep(Libc.ClockMonotonic, 0, in wanted, 0);
    }
}
