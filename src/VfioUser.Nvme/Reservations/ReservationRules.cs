using System.Collections.Immutable;

namespace VfioUser.Nvme;

/// <summary>What the commands of reservations do. NVMe 2.0 8.19.</summary>
/// <remarks>Pure functions of the state before and of who asks.</remarks>
internal static class ReservationRules
{
    /// <summary>A host registers a key. 8.19.3.</summary>
    public static ReservationChange Register(ReservationState state, HostIdentifier host, ulong key)
    {
        if (key == 0)
            return Status.InvalidField; // a preempt of key 0 is about all registrants
        if (state.KeyOf(host) is { } old)
            return old == key ? Counted(state) : Status.ReservationConflict;
        return Added(state, host, key);
    }

    /// <summary>A host replaces its key. 8.19.3.</summary>
    /// <param name="state">Before.</param>
    /// <param name="host">Asks.</param>
    /// <param name="current">CRKEY; null if it is not to be checked, and the host may not be registered at all.</param>
    /// <param name="key">The new one.</param>
    public static ReservationChange Replace(ReservationState state, HostIdentifier host, ulong? current, ulong key)
    {
        if (key == 0)
            return Status.InvalidField;
        if (state.KeyOf(host) is not { } old)
            return current is null ? Added(state, host, key) : Status.ReservationConflict;
        if (current is not null && current != old)
            return Status.ReservationConflict;
        return Counted(state with { Registrants = [.. state.Registrants.Select(other => other.Host == host ? other with { Key = key } : other)] });
    }

    /// <summary>A host unregisters, and its reservation ends. 8.19.4.</summary>
    public static ReservationChange Unregister(ReservationState state, HostIdentifier host, ulong? current)
    {
        ulong? key = state.KeyOf(host);
        if (key is null && current is null)
            return Counted(state);
        if (key is null || (current is not null && current != key))
            return Status.ReservationConflict;
        bool releases = state.IsHeldBy(host) && !state.Type.IsOfHolderAlone() && !state.Type.IsOfAllRegistrants();
        ReservationState after = Counted(Without(state, other => other.Host == host));
        return new ReservationChange(Status.Success, after, releases ? ToOthers(after, host, ReservationNoticeKind.ReservationReleased) : []);
    }

    /// <summary>A registrant takes a reservation that nobody has. 8.19.5.</summary>
    public static ReservationChange Acquire(ReservationState state, HostIdentifier host, ulong current, ReservationType type)
    {
        if (state.KeyOf(host) != current)
            return Status.ReservationConflict;
        if (state.Type == ReservationType.None)
            return Held(state, host, type);
        return state.IsHeldBy(host) && state.Type == type ? Status.Success : Status.ReservationConflict;
    }

    /// <summary>A registrant unregisters others, and takes their reservation. 8.19.7.</summary>
    /// <param name="state">Before.</param>
    /// <param name="host">Asks.</param>
    /// <param name="current">CRKEY.</param>
    /// <param name="preempted">PRKEY: the key of those who go; 0 for all others, where all registrants are holders.</param>
    /// <param name="type">Of the reservation, if it becomes the host's.</param>
    public static ReservationChange Preempt(ReservationState state, HostIdentifier host, ulong current, ulong preempted, ReservationType type)
    {
        if (state.KeyOf(host) != current)
            return Status.ReservationConflict;
        bool all = state.Type.IsOfAllRegistrants();
        bool takes = state.Type != ReservationType.None && (all ? preempted == 0 : state.Holder is { } holder && state.KeyOf(holder) == preempted);
        if (!takes && preempted == 0)
            return state.Type == ReservationType.None ? Status.ReservationConflict : Status.InvalidField;
        // whoever takes the reservation stays, and whoever unregisters its own key goes with it
        bool Goes(Registrant other) => (!takes || other.Host != host) && (other.Key == preempted || (takes && all));
        Registrant[] gone = [.. state.Registrants.Where(Goes)];
        if (!takes && gone.Length == 0)
            return Status.ReservationConflict;
        ReservationState after = takes ? Held(state with { Registrants = state.Registrants.RemoveAll(Goes) }, host, type) : Without(state, Goes);
        List<ReservationNotice> notices =
            [.. gone.Where(other => other.Host != host).Select(other => new ReservationNotice(other.Host, ReservationNoticeKind.RegistrationPreempted))];
        if (takes && type != state.Type)
            notices.AddRange(ToOthers(after, host, ReservationNoticeKind.ReservationReleased));
        return new ReservationChange(Status.Success, Counted(after), notices);
    }

    /// <summary>A holder gives its reservation up; another registrant does nothing. 8.19.6.</summary>
    public static ReservationChange Release(ReservationState state, HostIdentifier host, ulong current, ReservationType type)
    {
        if (state.KeyOf(host) != current)
            return Status.ReservationConflict;
        if (!state.IsHeldBy(host))
            return Status.Success;
        if (state.Type != type)
            return Status.InvalidField;
        ReservationState after = state with { Type = ReservationType.None, Holder = null };
        return new ReservationChange(Status.Success, after,
            type.IsOfHolderAlone() ? [] : ToOthers(after, host, ReservationNoticeKind.ReservationReleased));
    }

    /// <summary>A registrant unregisters all, and itself. 8.19.8.</summary>
    public static ReservationChange Clear(ReservationState state, HostIdentifier host, ulong current)
    {
        if (state.KeyOf(host) != current)
            return Status.ReservationConflict;
        ReservationState after = Counted(state with { Type = ReservationType.None, Holder = null, Registrants = [] });
        return new ReservationChange(Status.Success, after, ToOthers(state, host, ReservationNoticeKind.ReservationPreempted));
    }

    private static ReservationChange Added(ReservationState state, HostIdentifier host, ulong key)
    {
        if (state.Registrants.Length == ReservationState.MaxRegistrants)
            return Status.InternalError;
        return Counted(state with { Registrants = state.Registrants.Add(new Registrant(host, key)) });
    }

    private static ReservationState Held(ReservationState state, HostIdentifier host, ReservationType type) =>
        state with { Type = type, Holder = type.IsOfAllRegistrants() ? null : host };

    private static ReservationState Counted(ReservationState state) => state with { Generation = unchecked(state.Generation + 1) };

    // without a holder, or without all of them, there is no reservation
    private static ReservationState Without(ReservationState state, Predicate<Registrant> goes)
    {
        ReservationState after = state with { Registrants = state.Registrants.RemoveAll(goes) };
        bool isHeld = state.Type.IsOfAllRegistrants() ? !after.Registrants.IsEmpty : state.Holder is { } holder && after.KeyOf(holder) is not null;
        return isHeld ? after : after with { Type = ReservationType.None, Holder = null };
    }

    private static ReservationNotice[] ToOthers(ReservationState state, HostIdentifier host, ReservationNoticeKind kind) =>
        [.. state.Registrants.Where(other => other.Host != host).Select(other => new ReservationNotice(other.Host, kind))];
}
