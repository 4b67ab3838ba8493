using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>Descriptors that were received and wait for their message to be complete.</summary>
internal sealed class PendingFds(int maxPerMessage) : IDisposable
{
    private readonly int _maxPerMessage = maxPerMessage;
    private readonly List<Received> _received = [];

    // Owner: the position in the stream at which the message starts that they belong to
    private readonly record struct Received(long Owner, FdList? Fds, Errno Problem);

    public bool IsEmpty => _received.Count == 0;

    /// <summary>Takes over <paramref name="fds"/>. What a message may not have is closed here and now.</summary>
    public void Add(long owner, FdList? fds, bool truncated)
    {
        Errno problem = Errno.None;
        if (truncated)
            problem = (fds?.Count ?? 0) < ControlMessage.MaxReceived ? Errno.EMFILE : Errno.EINVAL;
        if (_received.Count > 0 && _received[^1].Owner == owner)
        {
            Received earlier = _received[^1];
            _received.RemoveAt(_received.Count - 1);
            if (problem == Errno.None)
                problem = earlier.Problem;
            fds = Join(earlier.Fds, fds);
        }
        if (problem == Errno.None && fds is not null && fds.Count > _maxPerMessage)
            problem = Errno.EINVAL;
        if (problem != Errno.None)
        {
            // some are lost or too many came: none can be trusted to be the right one
            fds?.Dispose();
            fds = null;
        }
        _received.Add(new Received(owner, fds, problem));
    }

    /// <summary>Hands over those of the message that ends at <paramref name="end"/>.</summary>
    public FdList? TakeUntil(long end, out Errno problem)
    {
        FdList? fds = null;
        problem = Errno.None;
        while (_received.Count > 0 && _received[0].Owner < end)
        {
            Received received = _received[0];
            _received.RemoveAt(0);
            fds = Join(fds, received.Fds);
            if (problem == Errno.None)
                problem = received.Problem;
        }
        return fds;
    }

    public void Dispose()
    {
        foreach (Received received in _received)
            received.Fds?.Dispose();
        _received.Clear();
    }

    private static FdList? Join(FdList? first, FdList? second)
    {
        if (first is null || second is null)
            return first ?? second;
        first.Append(second);
        return first;
    }
}
