using System.Globalization;

namespace VfioUser.Tool.Benching;

/// <summary>Prints a report for people.</summary>
internal static class BenchText
{
    public static void Write(Terminal terminal, BenchReport report)
    {
        TextWriter to = terminal.Out;
        LatencyFigures trip = report.RoundTrip;
        to.WriteLine(Invariant($"{report.Region} of 0x{report.RegionSize:x} bytes, {report.Width} bytes at 0x{report.Offset:x}, {report.Seconds} s each"));
        to.WriteLine(terminal.Bold("read, one at a time"));
        to.WriteLine("         min         p50         p90         p99       p99.9         max");
        to.WriteLine(Invariant($"{trip.Min,9:f1} µs{trip.P50,9:f1} µs{trip.P90,9:f1} µs{trip.P99,9:f1} µs{trip.P999,9:f1} µs{trip.Max,9:f1} µs"));
        to.WriteLine(terminal.Bold("throughput"));
        to.WriteLine(Invariant($"  reads, {report.Pipelined.Depth} in a send    {report.Pipelined.PerSecond,12:f0} /s"));
        to.WriteLine(report.Large.Refused is { } errno
            ? Invariant($"  reads of {report.Large.Bytes} bytes: refused with {errno}")
            : Invariant($"  reads of {report.Large.Bytes,-12} {report.Large.GigabytesPerSecond,12:f3} GB/s"));
        if (report.PostedWrites is { } writes)
            to.WriteLine(Invariant($"  posted writes          {writes.PerSecond,12:f0} /s"));
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
