using VfioUser.Protocol;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Decoding;

/// <summary>Which requests wait for their reply, and since when. One thread.</summary>
/// <remarks>Bounded: of more than that at a time, no latency is known.</remarks>
internal sealed class Outstanding
{
    private const int Most = 4096;
    private readonly Dictionary<(Way Way, ushort Id), TimeSpan> _since = [];

    /// <returns>How long the request took to which this is the reply; null if it is none, or its request is not known.</returns>
    public TimeSpan? Note(in MessageHeader header, Way way, TimeSpan time)
    {
        // the ids of either side's requests are a space of their own
        if (header.IsReply)
            return _since.Remove((way ^ Way.ToClient, header.MessageId), out TimeSpan since) ? time - since : null;
        if (header.IsCommand && !header.NoReply && (_since.Count < Most || _since.ContainsKey((way, header.MessageId))))
            _since[(way, header.MessageId)] = time;
        return null;
    }

    public void Clear() => _since.Clear();
}
