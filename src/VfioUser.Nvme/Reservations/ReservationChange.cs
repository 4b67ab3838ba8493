namespace VfioUser.Nvme;

/// <summary>What a command makes of reservations. Immutable.</summary>
/// <param name="Status">How it ends.</param>
/// <param name="State">Null if nothing changes.</param>
/// <param name="Notices">Who is to be told.</param>
internal sealed record ReservationChange(Status Status, ReservationState? State, IReadOnlyList<ReservationNotice> Notices)
{
    public static implicit operator ReservationChange(Status status) => new(status, null, []);

    public static implicit operator ReservationChange(ReservationState state) => new(Status.Success, state, []);

    /// <summary>Hosts that have lost their registrations to another one.</summary>
    public IEnumerable<HostIdentifier> Preempted =>
        Notices.Where(notice => notice.Kind == ReservationNoticeKind.RegistrationPreempted).Select(notice => notice.Host);
}
