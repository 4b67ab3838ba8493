using VfioUser.Protocol;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Recording;

/// <summary>Writes a trace to a file, each record with one <c>write</c>, so that a killed trace loses at most the last one.</summary>
internal sealed class RecordingWriter : ITraceSink, IDisposable
{
    private readonly FileStream _file;
    private byte[] _record = new byte[4096];

    /// <exception cref="IOException">The file cannot be created.</exception>
    public RecordingWriter(string path)
    {
        _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
        long now = (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        WireFormat.Write(_record, new RecordingHeader(RecordingHeader.Expected, 1, RecordingHeader.WireSize, now));
        _file.Write(_record, 0, RecordingHeader.WireSize);
    }

    public void Connected(int client, TimeSpan time) => Write(RecordKind.Connected, Way.ToServer, client, time, [], []);

    public void Message(in TracedMessage message) =>
        Write(message.IsWhole ? RecordKind.Message : RecordKind.Piece, message.Way, message.Client, message.Time, message.Fds, message.Bytes);

    public void Disconnected(int client, TimeSpan time) => Write(RecordKind.Disconnected, Way.ToServer, client, time, [], []);

    public void Dispose() => _file.Dispose();

    private void Write(RecordKind kind, Way way, int client, TimeSpan time, IReadOnlyList<FdFacts> fds, ReadOnlySpan<byte> bytes)
    {
        int size = RecordHeader.WireSize + fds.Count * RecordedFd.WireSize + bytes.Length;
        if (_record.Length < size)
            _record = new byte[Math.Max(size, 2 * _record.Length)];
        WireFormat.Write(_record, new RecordHeader((uint)(size - sizeof(uint)), kind, (byte)way, (ushort)fds.Count, (uint)client, (long)time.TotalNanoseconds));
        int at = RecordHeader.WireSize;
        foreach (FdFacts fd in fds)
        {
            WireFormat.Write(_record.AsSpan(at), new RecordedFd(fd.Kind, 0, fd.Size));
            at += RecordedFd.WireSize;
        }
        bytes.CopyTo(_record.AsSpan(at));
        _file.Write(_record, 0, size);
    }
}
