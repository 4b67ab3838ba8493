using System.Diagnostics;

namespace VfioUser.Disks;

/// <summary>Tracks whether a disk answers at once, as a file does whose blocks are in the page cache.</summary>
/// <remarks>Any thread. Concurrent answers may be lost in the count, which does no harm.</remarks>
internal sealed class LatencyTracker
{
    // a single late answer among this many is ignored: its thread may only have waited for a processor
    private const int WeightOfLate = 32;
    private const int Few = 2 * WeightOfLate;
    private const int Most = 1024;
    // memory answers in this time, plus a nanosecond a byte; no device does
    private static readonly long AtOnce = Ticks(25_000);
    private int _late = Few + 16;

    /// <summary>Whether an access is probably fast enough to be made in place.</summary>
    public bool IsFast => Volatile.Read(ref _late) < Few;

    /// <summary>Counts an answer.</summary>
    /// <param name="begun">Stopwatch timestamp of the start.</param>
    /// <param name="length">Bytes of the access.</param>
    public void Answered(long begun, int length) => Count(Stopwatch.GetTimestamp() - begun <= AtOnce + Ticks(length));

    internal void Count(bool atOnce) =>
        Volatile.Write(ref _late, Math.Clamp(Volatile.Read(ref _late) + (atOnce ? -1 : WeightOfLate), 0, Most));

    private static long Ticks(int nanoseconds) => nanoseconds * Stopwatch.Frequency / 1_000_000_000;
}
