using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>Received descriptors whose message is not complete yet.</summary>
internal sealed class PendingFds(int maxPerMessage) : IDisposable
{
    private readonly int _maxPerMessage = maxPerMessage;
    private readonly List<Received> _received = [];

    // Owner: position in the stream of the start of their message
    private readonly record struct Received(long Owner, FdList? Fds, Errno Problem);

    public bool IsEmpty => _received.Count == 0;

    /// <summary>Takes over <paramref name="fds"/>. Closes them at once if they are more than a message may have.</summary>
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
            // if one is lost, the positions of the others are unknown, so none can be used
            fds?.Dispose();
            fds = null;
        }
        _received.Add(new Received(owner, fds, problem));
    }

    /// <summary>Returns those of the message that ends at <paramref name="end"/>; owned by the caller.</summary>
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
