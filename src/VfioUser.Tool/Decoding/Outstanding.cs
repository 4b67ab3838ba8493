using VfioUser.Protocol;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Decoding;

/// <summary>Measures latencies: remembers when each command without a reply yet was sent. One thread.</summary>
/// <remarks>Bounded: further outstanding commands get no latency.</remarks>
internal sealed class Outstanding
{
    private const int MaxOutstanding = 4096;
    private readonly Dictionary<(int Client, Way Way, ushort Id), TimeSpan> _since = [];

    /// <returns>The latency if this is the reply to a known command; else null.</returns>
    public TimeSpan? Note(in MessageHeader header, in TracedMessage message)
    {
        // each side numbers its commands independently
        if (header.IsReply)
            return _since.Remove((message.Client, message.Way ^ Way.ToClient, header.MessageId), out TimeSpan since) ? message.Time - since : null;
        (int, Way, ushort) request = (message.Client, message.Way, header.MessageId);
        if (header.IsCommand && !header.NoReply && (_since.Count < MaxOutstanding || _since.ContainsKey(request)))
            _since[request] = message.Time;
        return null;
    }

    /// <summary>Forgets the commands of a client that has disconnected.</summary>
    public void Remove(int client)
    {
        foreach ((int Client, Way, ushort) request in _since.Keys)
        {
            if (request.Client == client)
                _since.Remove(request);
        }
    }
}
