using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol;

/// <summary>Descriptors that were received and wait for their message to be complete.</summary>
internal sealed class FdArrivals(int maxPerMessage) : IDisposable
{
    private readonly int _maxPerMessage = maxPerMessage;
    private readonly List<Arrival> _arrivals = [];

    // Owner: the position in the stream at which the message starts that they belong to
    private readonly record struct Arrival(long Owner, FdList? Fds, Errno Problem);

    public bool IsEmpty => _arrivals.Count == 0;

    /// <summary>Takes over <paramref name="fds"/>. What a message may not have is closed here and now.</summary>
    public void Add(long owner, FdList? fds, bool truncated)
    {
        Errno problem = Errno.None;
        if (truncated)
            problem = (fds?.Count ?? 0) < ControlMessage.MaxReceived ? Errno.EMFILE : Errno.EINVAL;
        if (_arrivals.Count > 0 && _arrivals[^1].Owner == owner)
        {
            Arrival earlier = _arrivals[^1];
            _arrivals.RemoveAt(_arrivals.Count - 1);
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
        _arrivals.Add(new Arrival(owner, fds, problem));
    }

    /// <summary>Hands over those of the message that ends at <paramref name="end"/>.</summary>
    public FdList? TakeUntil(long end, out Errno problem)
    {
        FdList? fds = null;
        problem = Errno.None;
        while (_arrivals.Count > 0 && _arrivals[0].Owner < end)
        {
            Arrival arrival = _arrivals[0];
            _arrivals.RemoveAt(0);
            fds = Join(fds, arrival.Fds);
            if (problem == Errno.None)
                problem = arrival.Problem;
        }
        return fds;
    }

    public void Dispose()
    {
        foreach (Arrival arrival in _arrivals)
            arrival.Fds?.Dispose();
        _arrivals.Clear();
    }

    private static FdList? Join(FdList? first, FdList? second)
    {
        if (first is null || second is null)
            return first ?? second;
        first.Append(second);
        return first;
    }
}
