namespace VfioUser.Nvme;

/// <summary>Events for which the driver keeps requests outstanding. NVMe 1.4 5.2.</summary>
/// <remarks>Any thread raises; the admin thread does the rest.</remarks>
internal sealed class AsyncEvents
{
    /// <summary>Requests that a driver may have outstanding.</summary>
    public const int MaxRequests = 4;

    /// <summary>Events that wait for a request at most.</summary>
    public const int MaxEvents = 8;

    private readonly Lock _lock = new();
    private readonly List<ushort> _requests = new(MaxRequests);
    private readonly List<AsyncEvent> _events = new(MaxEvents);
    private uint _reported; // log pages of events that the driver has not read yet, a bit each

    /// <summary>Called when there may be something to deliver.</summary>
    public Action Wake { get; set; } = () => { };

    /// <summary>Ids of the requests that are outstanding.</summary>
    public ushort[] Requests
    {
        get
        {
            lock (_lock)
                return [.. _requests];
        }
    }

    /// <summary>Events that are not told yet, as they will be.</summary>
    public uint[] Waiting
    {
        get
        {
            lock (_lock)
                return [.. _events.Select(waiting => waiting.Result)];
        }
    }

    /// <summary>Log pages of events that the driver has not read yet, a bit each.</summary>
    public uint Reported
    {
        get
        {
            lock (_lock)
                return _reported;
        }
    }

    /// <summary>Takes a request, which has no place in the completion queue until its event comes.</summary>
    public CommandOutcome Request(ushort commandId)
    {
        lock (_lock)
        {
            if (_requests.Count == MaxRequests)
                return Status.AsyncEventLimitExceeded;
            _requests.Add(commandId);
            return CommandOutcome.NoCompletion;
        }
    }

    /// <summary>Takes a request back.</summary>
    public bool Cancel(ushort commandId)
    {
        lock (_lock)
            return _requests.Remove(commandId);
    }

    /// <summary>Something happened. Told once until the driver has read the log page that is about it.</summary>
    public void Raise(AsyncEvent happened)
    {
        lock (_lock)
        {
            if ((_reported & BitOf(happened.LogPage)) != 0 || _events.Contains(happened) || _events.Count == MaxEvents)
                return;
            _events.Add(happened);
        }
        Wake();
    }

    /// <summary>The driver has read a log page, and wants to hear of such events again.</summary>
    public void LogRead(LogPageId page)
    {
        uint bit = BitOf(page);
        if (bit == 0)
            return;
        lock (_lock)
        {
            _reported &= ~bit;
            _events.RemoveAll(waiting => waiting.LogPage == page);
        }
    }

    // Events of one type have different pages, and none is to hide another that the driver does not read of.
    private static uint BitOf(LogPageId page) => page switch
    {
        LogPageId.Error => 1 << 0,
        LogPageId.Smart => 1 << 1,
        LogPageId.ChangedNamespaces => 1 << 2,
        LogPageId.AsymmetricNamespaceAccess => 1 << 3,
        LogPageId.ReservationNotification => 1 << 4,
        _ => 0,
    };

    /// <summary>Completes requests with events. Admin thread, inside the guard.</summary>
    /// <returns>Whether there was one.</returns>
    public bool Deliver(SubmissionQueue admin)
    {
        bool delivered = false;
        while (TryTake(admin, out AsyncEvent happened, out ushort id))
        {
            // not under the lock: the Command thread takes it, and guest memory may come by message
            admin.Completions.Post(happened.Result, admin.Head, admin.Id, id, Status.Success);
            delivered = true;
        }
        return delivered;
    }

    private bool TryTake(SubmissionQueue admin, out AsyncEvent happened, out ushort id)
    {
        (happened, id) = (default, 0);
        // whoever finds a wrong doorbell raises an event with the queue's lock held: so that one is never taken under ours
        if (!HasBoth() || admin.Completions.Reserve(1) == 0)
            return false;
        if (TryTakeBoth(out happened, out id))
            return true;
        admin.Completions.Release(1);
        return false;
    }

    private bool HasBoth()
    {
        lock (_lock)
            return _requests.Count > 0 && _events.Count > 0;
    }

    private bool TryTakeBoth(out AsyncEvent happened, out ushort id)
    {
        lock (_lock)
        {
            (happened, id) = (default, 0);
            if (_requests.Count == 0 || _events.Count == 0)
                return false;
            AsyncEvent first = happened = _events[0];
            _reported |= BitOf(first.LogPage);
            _events.RemoveAll(waiting => waiting.LogPage == first.LogPage);
            id = _requests[0];
            _requests.RemoveAt(0);
            return true;
        }
    }

    /// <summary>As after a reset.</summary>
    public void Reset() => Restore([], [], 0);

    /// <summary>Goes on with what was saved.</summary>
    /// <param name="requests">Ids of requests.</param>
    /// <param name="events">Events that no request has been there for, as they are told.</param>
    /// <param name="reported">Log pages that the driver has not read yet, a bit each.</param>
    public void Restore(ReadOnlySpan<ushort> requests, ReadOnlySpan<uint> events, uint reported)
    {
        lock (_lock)
        {
            _requests.Clear();
            _requests.AddRange(requests);
            _events.Clear();
            foreach (uint told in events)
                _events.Add(AsyncEvent.Of(told));
            _reported = reported;
        }
    }
}

/// <summary>An event. NVMe 1.4 figure 147.</summary>
internal readonly record struct AsyncEvent(int Type, int Information, LogPageId LogPage)
{
    public const int ErrorType = 0;
    public const int SmartType = 1;
    public const int NoticeType = 2;
    public const int IoCommandSetType = 6;

    public uint Result => (uint)(Type | Information << 8 | (int)LogPage << 16);

    public static AsyncEvent Of(uint result) => new((int)(result & 7), (int)(result >> 8 & 0xFF), (LogPageId)(byte)(result >> 16));

    public static AsyncEvent InvalidDoorbellRegister => new(ErrorType, 0x00, LogPageId.Error);

    public static AsyncEvent InvalidDoorbellValue => new(ErrorType, 0x01, LogPageId.Error);

    public static AsyncEvent Reliability => new(SmartType, 0x00, LogPageId.Smart);

    public static AsyncEvent TemperatureThreshold => new(SmartType, 0x01, LogPageId.Smart);

    public static AsyncEvent AnaChange => new(NoticeType, 0x03, LogPageId.AsymmetricNamespaceAccess);

    public static AsyncEvent ReservationNotice => new(IoCommandSetType, 0x00, LogPageId.ReservationNotification);

    public static AsyncEvent NamespaceAttributeChanged => new(NoticeType, 0x00, LogPageId.ChangedNamespaces);
}
