namespace VfioUser.Nvme;

/// <summary>A notice for a host.</summary>
internal readonly record struct ReservationNotice(HostIdentifier Host, ReservationNoticeKind Kind);
