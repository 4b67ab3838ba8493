namespace VfioUser.Nvme;

/// <summary>The reservations of a namespace, for all controllers that have it.</summary>
/// <remarks>Any thread. A command looks at <see cref="State"/>, which takes no lock; changes are made one after the other.</remarks>
internal sealed class Reservations
{
    private readonly Lock _changing = new();
    private readonly ReservationFile? _file;
    private readonly Action<IReadOnlyList<ReservationNotice>> _notify;
    private ReservationState _state;

    /// <param name="file">Keeps what is to outlast the program; null if nothing can.</param>
    /// <param name="notify">Told of notices, in order.</param>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public Reservations(ReservationFile? file, Action<IReadOnlyList<ReservationNotice>> notify)
    {
        _file = file;
        _notify = notify;
        _state = file?.Load() is { IsPersistent: true } kept ? kept : new ReservationState { Incarnation = Guid.NewGuid() };
    }

    /// <summary>As it is now.</summary>
    public ReservationState State => Volatile.Read(ref _state);

    /// <summary>Whether they can outlast the program: RESCAP bit 0.</summary>
    public bool CanPersist => _file is not null;

    /// <summary>Carries a command out.</summary>
    /// <param name="rule">What it does.</param>
    /// <param name="isPersistent">CPTPL; null to leave it as it is.</param>
    /// <exception cref="IOException">It cannot be kept: then nothing has changed.</exception>
    public ReservationChange Change(Func<ReservationState, ReservationChange> rule, bool? isPersistent = null)
    {
        if (isPersistent == true && !CanPersist)
            return Status.InvalidField;
        lock (_changing)
        {
            ReservationChange change = rule(_state);
            if (change.State is { } next)
            {
                Set(next with { Version = unchecked(_state.Version + 1), IsPersistent = isPersistent ?? _state.IsPersistent });
                _notify(change.Notices);
            }
            return change;
        }
    }

    /// <summary>Whether a saved state may be restored here.</summary>
    public bool CanRestore(ReservationState saved) => CanPersist || !saved.IsPersistent;

    /// <summary>Goes on with what a controller of another host has saved. What is older than what is here is left out: another
    /// controller has been restored before.</summary>
    /// <exception cref="IOException">It cannot be kept.</exception>
    public void Restore(ReservationState saved)
    {
        lock (_changing)
        {
            if (saved.Incarnation != _state.Incarnation || saved.Version > _state.Version)
                Set(saved);
        }
    }

    /// <summary>The disk is this host's from now on: what another has kept since is looked up.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public void Reload()
    {
        lock (_changing)
        {
            if (_file?.Load() is { IsPersistent: true } kept && (kept.Incarnation != _state.Incarnation || kept.Version > _state.Version))
                Volatile.Write(ref _state, kept);
        }
    }

    private void Set(ReservationState next)
    {
        if (next.IsPersistent || _state.IsPersistent)
            _file?.Save(next);
        Volatile.Write(ref _state, next);
    }
}
