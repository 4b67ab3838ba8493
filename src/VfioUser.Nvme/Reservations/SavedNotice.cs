using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>A notice that waits, in the layout of the migration stream.</summary>
/// <param name="Count">Its number, from 1 on.</param>
/// <param name="Nsid">The namespace that it is about.</param>
/// <param name="Kind">A <see cref="ReservationNoticeKind"/>.</param>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal readonly record struct SavedNotice(ulong Count, uint Nsid, uint Kind)
{
    public bool IsValid => Kind is >= (uint)ReservationNoticeKind.RegistrationPreempted and <= (uint)ReservationNoticeKind.ReservationPreempted;
}
