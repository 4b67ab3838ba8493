namespace VfioUser.Protocol.Interop;

/// <summary>Sleeps that are shorter than a millisecond.</summary>
internal static class ShortSleep
{
    /// <summary>Sleeps for the time given, and some 50 µs more: the kernel's timer slack.</summary>
    public static void For(TimeSpan time)
    {
        Libc.TimeSpec wanted = new((long)time.TotalSeconds, time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick);
        // a signal that ends it early does no harm
        _ = Libc.ClockNanosleep(Libc.ClockMonotonic, 0, in wanted, 0);
    }
}
