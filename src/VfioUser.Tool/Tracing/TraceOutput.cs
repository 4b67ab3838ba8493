using System.Diagnostics;

namespace VfioUser.Tool.Tracing;

/// <summary>Passes events of several threads to the sinks, in one order and with one clock. Any thread; a slow sink delays messages.</summary>
internal sealed class TraceOutput(params IReadOnlyList<ITraceSink> sinks)
{
    private readonly Lock _gate = new();
    private readonly Stopwatch _time = Stopwatch.StartNew();

    public void Connected(int client)
    {
        lock (_gate)
        {
            foreach (ITraceSink sink in sinks)
                sink.Connected(client, _time.Elapsed);
        }
    }

    public void Message(int client, Way way, bool isWhole, ReadOnlySpan<byte> bytes, IReadOnlyList<FdFacts> fds)
    {
        lock (_gate)
        {
            TracedMessage message = new() { Client = client, Time = _time.Elapsed, Way = way, IsWhole = isWhole, Bytes = bytes, Fds = fds };
            foreach (ITraceSink sink in sinks)
                sink.Message(message);
        }
    }

    public void Disconnected(int client)
    {
        lock (_gate)
        {
            foreach (ITraceSink sink in sinks)
                sink.Disconnected(client, _time.Elapsed);
        }
    }
}
