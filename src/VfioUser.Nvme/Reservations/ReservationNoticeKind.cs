namespace VfioUser.Nvme;

/// <summary>What a host hears of that another one has done. NVMe 2.0 8.19.2.</summary>
internal enum ReservationNoticeKind : byte
{
    RegistrationPreempted = 1,
    ReservationReleased = 2,
    ReservationPreempted = 3,
}
