namespace VfioUser.Nvme;

/// <summary>The namespaces of a controller by number, from 1 on, and which of them the driver sees. NVMe 1.4 6.1.</summary>
/// <remarks>Any thread. An allocated namespace is one that there is; an attached one the driver can use.</remarks>
/// <param name="largest">The largest number that one can have.</param>
internal sealed class NamespaceSet(int largest)
{
    private readonly Lock _lock = new();
    private readonly Namespace?[] _all = new Namespace?[largest];
    private readonly bool[] _changed = new bool[largest];

    /// <summary>Called when the driver is to look at its namespaces again. Set once, before there is a driver.</summary>
    public Action Changed { get; set; } = () => { };

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

    /// <summary>Makes a namespace and adds it.</summary>
    /// <param name="wanted">Its number; null for the lowest that is free, and of which the driver knows that it is.</param>
    /// <param name="create">Makes it, with its number.</param>
    /// <exception cref="ArgumentException">There is no such number, or it is taken.</exception>
    /// <exception cref="InvalidOperationException">All are taken.</exception>
    public Namespace Add(uint? wanted, Func<uint, Namespace> create)
    {
        lock (_lock)
        {
            uint id = wanted ?? FreeId();
            if (!IsValid(id))
                throw new ArgumentException($"A namespace has a number from 1 to {Largest}, not {id}.");
            if (_all[id - 1] is not null)
                throw new ArgumentException($"There is a namespace {id} already.");
            Namespace space = create(id);
            Volatile.Write(ref _all[id - 1], space);
            space.Open(SizeChanged);
            return space;
        }
    }

    /// <summary>Lets the driver use a namespace.</summary>
    /// <returns>False if it is attached already, or removed.</returns>
    public bool Attach(Namespace space)
    {
        if (!space.Attach())
            return false;
        Report(space.Id);
        return true;
    }

    /// <summary>Takes a namespace away from the driver, which hears of it at once. Returns when the commands that have begun are over:
    /// not inside the guard.</summary>
    /// <returns>False if it is not attached.</returns>
    public bool Detach(Namespace space) => space.Detach(() => Report(space.Id));

    /// <summary>As <see cref="Detach"/>, and nothing uses its disk any more.</summary>
    /// <returns>False if it is removed already.</returns>
    public bool Remove(Namespace space)
    {
        if (!space.Close(() => Report(space.Id)))
            return false;
        lock (_lock)
            Volatile.Write(ref _all[space.Id - 1], null);
        return true;
    }

    /// <summary>A namespace is not as it was: the driver is told, and finds its number in the log.</summary>
    public void Report(uint id)
    {
        lock (_lock)
            _changed[id - 1] = true;
        Changed();
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

    private void SizeChanged(Namespace space)
    {
        if (space.IsAttached)
            Report(space.Id);
    }

    // A driver that has not read yet that a disk has gone would take another one of its number for the same.
    private uint FreeId()
    {
        int free = Array.FindIndex(_all, space => space is null);
        if (free < 0)
            throw new InvalidOperationException($"The controller has as many namespaces as it can have, {Largest}.");
        for (int i = free; i < _all.Length; i++)
        {
            if (_all[i] is null && !_changed[i])
                return (uint)i + 1;
        }
        return (uint)free + 1;
    }
}
