namespace VfioUser.Nvme;

/// <summary>The namespaces of a controller by number, from 1 on, and which of them the driver sees. NVMe 1.4 6.1.</summary>
/// <remarks>Any thread. An allocated namespace is one that there is; an attached one the driver can use.</remarks>
/// <param name="largest">The largest number that one can have.</param>
internal sealed class NamespaceSet(int largest)
{
    private readonly Lock _lock = new();
    private readonly Namespace?[] _all = new Namespace?[largest];
    private readonly bool[] _changed = new bool[largest];
    private bool _usesDisks;
    private HostIdentifier? _host;

    /// <summary>Called when the driver is to look at its namespaces again. Set once, before there is a driver.</summary>
    public Action Changed { get; set; } = () => { };

    /// <summary>Called when commands can begin that were postponed. Set once, as the two below.</summary>
    public Action<Namespace> Resumed { get; set; } = _ => { };

    /// <summary>Called when no answer to commands to a namespace is wanted any more.</summary>
    public Action<Namespace> Abort { get; set; } = _ => { };

    /// <summary>The same, because their host was preempted.</summary>
    public Action<Namespace> Preempt { get; set; } = _ => { };

    /// <summary>Called when there is a notice of a reservation.</summary>
    public Action Noticed { get; set; } = () => { };

    /// <summary>Called when a disk has lost writes.</summary>
    public Action LostWrites { get; set; } = () => { };

    /// <summary>Whether the controller has taken the disks, which others may have, too.</summary>
    public bool UsesDisks
    {
        get => Volatile.Read(ref _usesDisks);
        set => Volatile.Write(ref _usesDisks, value);
    }

    /// <summary>Whose controller it is; null if the driver has not said.</summary>
    public HostIdentifier? Host
    {
        get => Volatile.Read(ref _host);
        set => Volatile.Write(ref _host, value);
    }

    /// <summary>What the driver has not read yet of reservations.</summary>
    public ReservationNotices Notices { get; } = new();

    /// <summary>The states of its paths to groups of namespaces.</summary>
    public AnaGroups Ana { get; } = new();

    /// <summary>The largest number that one can have.</summary>
    public int Largest => _all.Length;

    /// <summary>All that are allocated, in the order of their numbers.</summary>
    public IEnumerable<Namespace> All
    {
        get
        {
            for (int i = 0; i < _all.Length; i++)
            {
                if (Volatile.Read(ref _all[i]) is { } space)
                    yield return space;
            }
        }
    }

    /// <summary>Those that the driver sees.</summary>
    public IEnumerable<Namespace> AllAttached => All.Where(space => space.IsAttached);

    /// <summary>Whether a namespace could have the number.</summary>
    public bool IsValid(uint id) => id - 1 < (uint)_all.Length;

    /// <summary>The namespace of a number, attached or not, or null.</summary>
    public Namespace? Allocated(uint id) => IsValid(id) ? Volatile.Read(ref _all[id - 1]) : null;

    /// <summary>The same if the driver sees it.</summary>
    public Namespace? Attached(uint id) => Allocated(id) is { IsAttached: true } space ? space : null;

    /// <summary>How a command ends whose namespace is not attached.</summary>
    public Status Refusal(uint id) => IsValid(id) ? Status.InvalidField : Status.InvalidNamespace;

    /// <summary>Whether a number would be taken by the driver for what it had before, of which it has not read yet that it has gone.</summary>
    public bool IsPending(uint id)
    {
        lock (_lock)
            return _changed[id - 1];
    }

    /// <summary>There is a namespace, of the subsystem.</summary>
    public void Add(SharedNamespace shared)
    {
        Namespace space = shared.AddView(this);
        Volatile.Write(ref _all[shared.Id - 1], space);
        space.PathStatus = Ana.StatusOf(shared.AnaGroup); // it may have changed before the namespace could be found
    }

    /// <summary>There is none any more.</summary>
    public void Remove(uint id) => Volatile.Write(ref _all[id - 1], null);

    /// <summary>The controller goes: its namespaces stay the subsystem's.</summary>
    public void RemoveAll()
    {
        foreach (Namespace space in All)
        {
            space.Shared.RemoveView(space);
            Remove(space.Id);
        }
    }

    /// <summary>Lets the driver use a namespace.</summary>
    /// <returns>False if it is attached already, or removed.</returns>
    public bool Attach(Namespace space)
    {
        if (!space.Shared.Attach(space))
            return false;
        Report(space.Id);
        return true;
    }

    /// <summary>Takes a namespace away from the driver, which hears of it at once. Returns when the commands that have begun are over:
    /// not inside the guard.</summary>
    /// <returns>False if it is not attached.</returns>
    public bool Detach(Namespace space) => space.Shared.Detach(space, () => Report(space.Id));

    /// <summary>A namespace is not as it was: the driver is told, and finds its number in the log.</summary>
    public void Report(uint id)
    {
        lock (_lock)
            _changed[id - 1] = true;
        Changed();
    }

    /// <summary>Something has happened to a reservation.</summary>
    public void Notice(ReservationNoticeKind kind, uint nsid)
    {
        Notices.Add(kind, nsid);
        Noticed();
    }

    /// <summary>The controller was reset: nobody has said whose it is, nor what it wants to hear of.</summary>
    public void ResetHost()
    {
        Host = null;
        Notices.Reset();
        foreach (Namespace space in All)
            space.NoticeMask = 0;
    }

    /// <summary>Numbers of what has changed since the driver read it last.</summary>
    public uint[] ChangedIds
    {
        get
        {
            lock (_lock)
                return [.. Enumerable.Range(1, _changed.Length).Where(id => _changed[id - 1]).Select(id => (uint)id)];
        }
    }

    /// <summary>The same, which count as read from now on.</summary>
    public uint[] TakeChangedIds()
    {
        lock (_lock)
        {
            uint[] ids = ChangedIds;
            Array.Clear(_changed);
            return ids;
        }
    }

    /// <summary>The driver has not read them after all.</summary>
    public void ReturnChangedIds(ReadOnlySpan<uint> ids)
    {
        lock (_lock)
        {
            foreach (uint id in ids)
                _changed[id - 1] = true;
        }
    }
}
