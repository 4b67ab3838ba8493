using VfioUser.Tool.Recording;

namespace VfioUser.Tool.Tests.Tracing;

/// <summary>Recordings, made by hand.</summary>
internal static class RecordedBytes
{
    public static byte[] Start => StartOf(RecordingHeader.WireSize);

    public static byte[] StartOf(uint headerSize) => RawClient.Bytes(new RecordingHeader(RecordingHeader.Expected, 1, headerSize, 0));

    /// <summary>A message of client 1.</summary>
    public static byte[] Of(byte[] message, byte way = 0, RecordKind kind = RecordKind.Message, TimeSpan time = default) =>
        [.. RawClient.Bytes(new RecordHeader((uint)(RecordHeader.Counted + message.Length), kind, way, 0, 1, time.Ticks * TimeSpan.NanosecondsPerTick)), .. message];
}
