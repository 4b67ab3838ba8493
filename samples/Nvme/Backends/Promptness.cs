using System.Diagnostics;

namespace Nvme.Backends;

/// <summary>Whether a disk has been answering at once, as a file does whose blocks are in the page cache.</summary>
/// <remarks>Any thread. Answers that are not counted because several come at one time do no harm.</remarks>
internal sealed class Promptness
{
    // one late answer in so many, which may be a thread that had to wait for its processor, says nothing
    private const int WeightOfLate = 32;
    private const int Few = 2 * WeightOfLate;
    private const int Most = 1024;
    // no device is as fast, but memory is: and then a gigabyte a second
    private static readonly long AtOnce = Ticks(25_000);
    private int _late = Few + 16;

    /// <summary>Whether one may as well wait for it.</summary>
    public bool IsPrompt => Volatile.Read(ref _late) < Few;

    /// <summary>It has answered.</summary>
    /// <param name="begun">When it was asked, by the stopwatch.</param>
    /// <param name="length">For how many bytes.</param>
    public void Answered(long begun, int length) => Count(Stopwatch.GetTimestamp() - begun <= AtOnce + Ticks(length));

    internal void Count(bool atOnce) =>
        Volatile.Write(ref _late, Math.Clamp(Volatile.Read(ref _late) + (atOnce ? -1 : WeightOfLate), 0, Most));

    private static long Ticks(int nanoseconds) => nanoseconds * Stopwatch.Frequency / 1_000_000_000;
}
