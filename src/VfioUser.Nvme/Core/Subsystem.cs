namespace VfioUser.Nvme;

/// <summary>Namespaces and the controllers that have them. NVMe 2.0 3.1.</summary>
/// <remarks>Any thread.</remarks>
/// <param name="options">What its controllers have in common.</param>
/// <param name="isShared">Whether there may be several controllers, and drivers are told.</param>
internal sealed class Subsystem(NvmeSubsystemOptions options, bool isShared)
{
    private readonly Lock _lock = new();
    private readonly Lock _adding = new();
    private readonly SharedNamespace?[] _all = new SharedNamespace?[options.Namespaces];
    private readonly List<(ushort Id, NamespaceSet Set)> _controllers = [];
    private Func<TimeProvider>? _clock;

    public NvmeSubsystemOptions Options { get; } = options;

    public bool IsShared { get; } = isShared;

    /// <summary>Names it.</summary>
    public Guid Uuid { get; init; }

    public required string SerialNumber { get; init; }

    /// <summary>The clock of rates, which belong to namespaces and not to controllers: that of the first controller.</summary>
    public TimeProvider Time => Volatile.Read(ref _clock)?.Invoke() ?? TimeProvider.System;

    /// <summary>A subsystem with namespaces.</summary>
    public static Subsystem Of(IReadOnlyList<NvmeNamespace> namespaces, NvmeSubsystemOptions options, bool isShared)
    {
        if (namespaces.Count > options.Namespaces)
            throw new ArgumentException($"The controller has room for {options.Namespaces} namespaces, not {namespaces.Count}.", nameof(namespaces));
        string serialNumber = options.SerialNumberFor(namespaces);
        Subsystem made = new(options, isShared)
        {
            SerialNumber = serialNumber,
            Uuid = SharedNamespace.UuidOf(namespaces.Count > 0 ? DiskNames.Of(serialNumber, namespaces[0].Disk, 0) : serialNumber),
        };
        foreach (NvmeNamespace space in namespaces)
            made.Add(space, only: null);
        return made;
    }

    /// <summary>The namespace of a number, or null.</summary>
    public SharedNamespace? Allocated(uint id) => id - 1 < (uint)_all.Length ? Volatile.Read(ref _all[id - 1]) : null;

    /// <summary>All namespaces, in the order of their numbers.</summary>
    public SharedNamespace[] All
    {
        get
        {
            lock (_lock)
                return [.. _all.OfType<SharedNamespace>()];
        }
    }

    /// <summary>Ids of the controllers, in order.</summary>
    public ushort[] Controllers
    {
        get
        {
            lock (_lock)
                return [.. _controllers.Select(controller => controller.Id).Order()];
        }
    }

    /// <summary>Ids of those that have a namespace attached, in order.</summary>
    public ushort[] ControllersOf(uint nsid)
    {
        lock (_lock)
            return [.. _controllers.Where(controller => controller.Set.Attached(nsid) is not null).Select(controller => controller.Id).Order()];
    }

    /// <summary>The namespaces of a controller, or null.</summary>
    public NamespaceSet? Find(ushort controller)
    {
        lock (_lock)
            return _controllers.Find(other => other.Id == controller).Set;
    }

    /// <summary>A driver says whose controller it has.</summary>
    /// <returns>False if others of the subsystem have identifiers of another length.</returns>
    public bool TrySetHost(NamespaceSet set, HostIdentifier host)
    {
        lock (_lock)
        {
            if (_controllers.Exists(other => other.Set != set && other.Set.Host is { } known && known.IsExtended != host.IsExtended)
                || Array.Exists(_all, space => space?.Reservations.State.Registrants is [var first, ..] && first.Host.IsExtended != host.IsExtended))
            {
                return false;
            }
            set.Host = host;
            return true;
        }
    }

    /// <summary>Ids of the controllers of a host, in order.</summary>
    public ushort[] ControllersOf(HostIdentifier host)
    {
        lock (_lock)
            return [.. _controllers.Where(controller => controller.Set.Host == host).Select(controller => controller.Id).Order()];
    }

    /// <summary>A controller comes, with all namespaces attached that are to be.</summary>
    /// <param name="wanted">Its id; null for the lowest that is free.</param>
    /// <param name="set">Its namespaces.</param>
    /// <param name="clock">Its clock.</param>
    /// <returns>Its id.</returns>
    /// <exception cref="ArgumentException">The id is taken.</exception>
    public ushort Join(ushort? wanted, NamespaceSet set, Func<TimeProvider> clock)
    {
        lock (_adding)
        {
            ushort id;
            lock (_lock)
            {
                id = wanted ?? (ushort)Enumerable.Range(0, _controllers.Count + 1).First(id => !_controllers.Exists(other => other.Id == id));
                if (_controllers.Exists(other => other.Id == id))
                    throw new ArgumentException($"The subsystem has a controller {id} already.");
                _clock ??= clock;
                _controllers.Add((id, set));
            }
            // not under the lock: a fused operation of another controller is waited for, and may need it
            foreach (SharedNamespace shared in All)
            {
                set.Add(shared);
                if (shared.IsAttachedToAll)
                    set.Attach(set.Allocated(shared.Id)!);
            }
            return id;
        }
    }

    /// <summary>A controller goes.</summary>
    public void Leave(NamespaceSet set)
    {
        lock (_lock)
            _controllers.RemoveAll(controller => controller.Set == set);
        set.RemoveAll();
    }

    /// <summary>Makes a namespace of a disk and adds it.</summary>
    /// <param name="space">What it is to be.</param>
    /// <param name="only">The controller that it is attached to; null for all.</param>
    /// <exception cref="ArgumentException">The disk cannot be one of such blocks, or there is no such number, or it is taken.</exception>
    /// <exception cref="InvalidOperationException">There are as many as there can be.</exception>
    /// <exception cref="IOException">Another process has the disk.</exception>
    public SharedNamespace Add(NvmeNamespace space, NamespaceSet? only)
    {
        ArgumentNullException.ThrowIfNull(space);
        space.Check();
        if (space.ReservationPath is not null && !IsShared)
            throw new ArgumentException("A controller that is alone has no reservations: they need an NvmeSubsystem.");
        lock (_adding)
        {
            uint id = space.Id ?? FreeId();
            if (id - 1 >= (uint)_all.Length)
                throw new ArgumentException($"A namespace has a number from 1 to {_all.Length}, not {id}.");
            if (_all[id - 1] is not null)
                throw new ArgumentException($"There is a namespace {id} already.");
            SharedNamespace shared = new(id, space, Options.BlockSize, DiskNames.Of(SerialNumber, space.Disk, All))
            {
                IsAttachedToAll = only is null && space.IsAttached,
            };
            NamespaceSet[] sets;
            lock (_lock)
            {
                _all[id - 1] = shared;
                sets = [.. _controllers.Select(controller => controller.Set)];
            }
            foreach (NamespaceSet set in sets)
                set.Add(shared);
            shared.Open();
            try
            {
                // before a driver can use it; one that is enabled from now on does the same
                if (sets.Any(set => set.UsesDisks) && !space.Disk.IsActive)
                    space.Disk.Activate();
            }
            catch
            {
                Remove(shared);
                throw;
            }
            shared.Limit(space.RateLimit, () => Time);
            foreach (NamespaceSet set in sets.Where(set => space.IsAttached && (only is null || set == only)))
                set.Attach(set.Allocated(id)!);
            return shared;
        }
    }

    /// <summary>Removes a namespace from all controllers. Returns when nothing uses its disk any more: not inside the guard.</summary>
    /// <returns>False if it is removed already.</returns>
    public bool Remove(SharedNamespace shared)
    {
        if (!shared.Close())
            return false;
        lock (_adding)
        {
            lock (_lock)
            {
                foreach ((_, NamespaceSet set) in _controllers)
                    set.Remove(shared.Id);
                _all[shared.Id - 1] = null;
            }
        }
        return true;
    }

    /// <summary>Lets all disks go.</summary>
    public void Close()
    {
        foreach (SharedNamespace shared in All)
            Remove(shared);
    }

    /// <summary>A controller gives the disks up for another host: whoever is the last one hands them over.</summary>
    public void ReleaseDisks(NamespaceSet set)
    {
        set.UsesDisks = false;
        lock (_lock)
        {
            if (_controllers.Exists(controller => controller.Set.UsesDisks))
                return;
        }
        foreach (SharedNamespace shared in All)
            shared.Disk.Inactivate();
    }

    /// <summary>A disk has lost writes: all drivers are told.</summary>
    public void LoseWrites()
    {
        (ushort, NamespaceSet Set)[] controllers;
        lock (_lock)
            controllers = [.. _controllers];
        foreach ((_, NamespaceSet set) in controllers)
            set.LostWrites();
    }

    // A driver that has not read yet that a disk has gone would take another one of its number for the same.
    private uint FreeId()
    {
        int free = Array.FindIndex(_all, space => space is null);
        if (free < 0)
            throw new InvalidOperationException($"The controller has as many namespaces as it can have, {_all.Length}.");
        lock (_lock)
        {
            for (int i = free; i < _all.Length; i++)
            {
                uint id = (uint)i + 1;
                if (_all[i] is null && !_controllers.Exists(controller => controller.Set.IsPending(id)))
                    return id;
            }
        }
        return (uint)free + 1;
    }
}
