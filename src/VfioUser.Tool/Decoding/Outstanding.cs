using VfioUser.Protocol;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Decoding;

/// <summary>Which requests wait for their reply, and since when. One thread.</summary>
/// <remarks>Bounded: of more than that at a time, no latency is known.</remarks>
internal sealed class Outstanding
{
    private const int Most = 4096;
    private readonly Dictionary<(int Client, Way Way, ushort Id), TimeSpan> _since = [];

    /// <returns>How long the request took to which this is the reply; null if it is none, or its request is not known.</returns>
    public TimeSpan? Note(in MessageHeader header, in TracedMessage message)
    {
        // the ids of either side's requests are a space of their own
        if (header.IsReply)
            return _since.Remove((message.Client, message.Way ^ Way.ToClient, header.MessageId), out TimeSpan since) ? message.Time - since : null;
        (int, Way, ushort) request = (message.Client, message.Way, header.MessageId);
        if (header.IsCommand && !header.NoReply && (_since.Count < Most || _since.ContainsKey(request)))
            _since[request] = message.Time;
        return null;
    }

    /// <summary>A client has gone, and waits for no reply any more.</summary>
    public void Remove(int client)
    {
        foreach ((int Client, Way, ushort) request in _since.Keys)
        {
            if (request.Client == client)
                _since.Remove(request);
        }
    }
}
