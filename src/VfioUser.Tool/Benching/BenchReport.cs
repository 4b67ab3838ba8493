using System.Text.Json;
using System.Text.Json.Serialization;

namespace VfioUser.Tool.Benching;

/// <summary>Results of a measurement; also the schema of <c>bench --json</c>. Immutable.</summary>
/// <param name="Socket">The server's.</param>
/// <param name="Region">Name of the region that was accessed.</param>
/// <param name="RegionSize">In bytes.</param>
/// <param name="Offset">First byte of each small access.</param>
/// <param name="Width">Bytes of each small access.</param>
/// <param name="Seconds">How long each measurement took, about.</param>
/// <param name="RoundTrip">One read at a time.</param>
/// <param name="Pipelined">Several reads in a send.</param>
/// <param name="Large">Reads as large as the server and the region allow.</param>
/// <param name="PostedWrites">Null if no writes were requested.</param>
internal sealed record BenchReport(string Socket, string Region, ulong RegionSize, ulong Offset, int Width, double Seconds,
    LatencyFigures RoundTrip, RateFigures Pipelined, LargeFigures Large, RateFigures? PostedWrites);

/// <summary>Latencies in microseconds.</summary>
internal sealed record LatencyFigures(long Count, double Min, double P50, double P90, double P99, double P999, double Max);

/// <summary>Messages in one send, their number, and the rate a second.</summary>
internal sealed record RateFigures(int Depth, long Count, double PerSecond);

/// <summary>Large reads: bytes of each, their number, and 10^9 bytes a second. Refused is the server's error, if it refused them.</summary>
internal sealed record LargeFigures(int Bytes, long Count, double GigabytesPerSecond, string? Refused);

/// <summary>Makes JSON of a report without reflection.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BenchReport))]
internal sealed partial class BenchJson : JsonSerializerContext
{
    public static string Format(BenchReport report) => JsonSerializer.Serialize(report, Default.BenchReport);
}
