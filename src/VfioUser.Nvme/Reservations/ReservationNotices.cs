namespace VfioUser.Nvme;

/// <summary>Notices that a driver has not read yet, the oldest first. NVMe 2.0 5.16.1.22.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class ReservationNotices
{
    /// <summary>Most that wait. Those that come then are counted only.</summary>
    public const int Most = 64;

    private readonly Lock _lock = new();
    private readonly Queue<SavedNotice> _waiting = new();
    private ulong _count;

    /// <summary>All that wait, and how many there have been.</summary>
    public (SavedNotice[] Waiting, ulong Count) Saved
    {
        get
        {
            lock (_lock)
                return ([.. _waiting], _count);
        }
    }

    public bool IsEmpty
    {
        get
        {
            lock (_lock)
                return _waiting.Count == 0;
        }
    }

    public void Add(ReservationNoticeKind kind, uint nsid)
    {
        lock (_lock)
        {
            _count = _count == ulong.MaxValue ? 1 : _count + 1;
            if (_waiting.Count < Most)
                _waiting.Enqueue(new SavedNotice(_count, nsid, (uint)kind));
        }
    }

    /// <summary>The oldest one, and how many there are after it.</summary>
    public SavedNotice? Peek(out int more)
    {
        lock (_lock)
        {
            more = Math.Max(_waiting.Count - 1, 0);
            return _waiting.TryPeek(out SavedNotice oldest) ? oldest : null;
        }
    }

    /// <summary>The driver has read one.</summary>
    public void Remove(in SavedNotice read)
    {
        lock (_lock)
        {
            if (_waiting.TryPeek(out SavedNotice oldest) && oldest == read)
                _waiting.Dequeue();
        }
    }

    public void Reset() => Restore([], 0);

    /// <summary>Goes on with what was saved.</summary>
    public void Restore(ReadOnlySpan<SavedNotice> waiting, ulong count)
    {
        lock (_lock)
        {
            _waiting.Clear();
            foreach (SavedNotice notice in waiting)
                _waiting.Enqueue(notice);
            _count = count;
        }
    }
}
