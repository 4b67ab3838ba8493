using System.Runtime.InteropServices;

namespace Nvme.Threads;

/// <summary>Sleeps that are shorter than a millisecond.</summary>
internal static partial class Nap
{
    private const int Monotonic = 1;

    /// <summary>Sleeps about as long; what was asked for, and some 50 µs for the kernel to come back.</summary>
    public static void Take(TimeSpan time)
    {
        Time wanted = new((long)time.TotalSeconds, time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick);
        // a signal that ends it early does no harm
        _ = ClockNanosleep(Monotonic, 0, in wanted, 0);
    }

    [LibraryImport("libc", EntryPoint = "clock_nanosleep")]
    private static partial int ClockNanosleep(int clock, int flags, in Time request, nint remain);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Time(long Seconds, long Nanoseconds);
}
