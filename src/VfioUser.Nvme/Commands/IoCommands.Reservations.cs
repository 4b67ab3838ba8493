using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <content>Commands of reservations. They touch no block: they are not among those that a format or a preempt waits for. NVMe 2.0 7.2 to 7.5.</content>
internal sealed partial class IoCommands
{
    private const int KeyLength = sizeof(ulong);
    private const uint IgnoreExistingKey = 1 << 3;

    private enum RegisterAction
    {
        Register = 0,
        Unregister = 1,
        Replace = 2,
    }

    private enum AcquireAction
    {
        Acquire = 0,
        Preempt = 1,
        PreemptAndAbort = 2,
    }

    private enum ReleaseAction
    {
        Release = 0,
        Clear = 1,
    }

    public static bool IsOfReservations(IoOpcode opcode) => opcode is IoOpcode.ReservationRegister or IoOpcode.ReservationReport
        or IoOpcode.ReservationAcquire or IoOpcode.ReservationRelease;

    // as a reservation sees it; whoever may write may read, so that a Copy is a write. NVMe 2.0 figure 503
    private static bool Writes(IoOpcode opcode) => opcode is not (IoOpcode.Read or IoOpcode.Compare or IoOpcode.Verify);

    private ValueTask<CommandOutcome> Reserve(IoOpcode opcode, CommandSlot slot, Namespace space, GuestPass pass)
    {
        if (opcode == IoOpcode.ReservationReport)
            return Ended(Report(slot, space));
        if (space.Set.Host is not { } host)
            return Ended(Status.HostIdNotInitialized);
        int count = opcode == IoOpcode.ReservationRelease ? 1 : 2;
        Span<ulong> keys = stackalloc ulong[2];
        Status status = slot.Context.Map(slot.Command, count * KeyLength);
        if (status != Status.Success)
            return Ended(status);
        if (!slot.Context.Data.TryCopyTo(0, MemoryMarshal.AsBytes(keys[..count])))
            return Ended(Status.DataTransferError);
        pass.Leave(); // a file may be written
        (ulong current, ulong second) = (keys[0], keys[1]);
        try
        {
            return opcode switch
            {
                IoOpcode.ReservationRegister => Ended(Register(slot.Command.Dword10, space, host, current, second)),
                IoOpcode.ReservationAcquire => Acquire(slot.Command.Dword10, space, host, current, second),
                _ => Ended(Release(slot.Command.Dword10, space, host, current)),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.ReservationsNotKept(parts.Logger(), e.Message);
            return Ended(Status.InternalError);
        }
    }

    private static Status Register(uint dword10, Namespace space, HostIdentifier host, ulong current, ulong key)
    {
        ulong? check = (dword10 & IgnoreExistingKey) != 0 ? null : current;
        bool? persistent = (dword10 >> 30) switch
        {
            2 => false,
            3 => true,
            _ => null,
        };
        Func<ReservationState, ReservationChange>? rule = (RegisterAction)(dword10 & 7) switch
        {
            RegisterAction.Register => state => ReservationRules.Register(state, host, key),
            RegisterAction.Unregister => state => ReservationRules.Unregister(state, host, check),
            RegisterAction.Replace => state => ReservationRules.Replace(state, host, check, key),
            _ => null,
        };
        return rule is null || dword10 >> 30 == 1 ? Status.InvalidField : space.Shared.Reservations.Change(rule, persistent).Status;
    }

    private static ValueTask<CommandOutcome> Acquire(uint dword10, Namespace space, HostIdentifier host, ulong current, ulong preempted)
    {
        ReservationType type = (ReservationType)(byte)(dword10 >> 8);
        AcquireAction action = (AcquireAction)(dword10 & 7);
        if ((dword10 & IgnoreExistingKey) != 0 || !type.IsValid() || action > AcquireAction.PreemptAndAbort)
            return Ended(Status.InvalidField);
        ReservationChange change = space.Shared.Reservations.Change(state => action == AcquireAction.Acquire
            ? ReservationRules.Acquire(state, host, current, type)
            : ReservationRules.Preempt(state, host, current, preempted, type));
        return action == AcquireAction.PreemptAndAbort && change.Status == Status.Success ? Abort(space, change) : Ended(change.Status);
    }

    // What was preempted begins nothing any more that writes, or that the type forbids: what it has begun is over when this ends.
    private static async ValueTask<CommandOutcome> Abort(Namespace space, ReservationChange change)
    {
        HashSet<HostIdentifier> preempted = [.. change.Preempted];
        Namespace[] views = [.. space.Shared.Views.Where(view => view.Set.Host is { } host && preempted.Contains(host))];
        if (views.Length > 0)
            await NamespaceRelease.Preempt(space.Shared, views).ConfigureAwait(false);
        return Status.Success;
    }

    private static Status Release(uint dword10, Namespace space, HostIdentifier host, ulong current)
    {
        ReservationType type = (ReservationType)(byte)(dword10 >> 8);
        ReleaseAction action = (ReleaseAction)(dword10 & 7);
        if ((dword10 & IgnoreExistingKey) != 0 || action > ReleaseAction.Clear)
            return Status.InvalidField;
        return space.Shared.Reservations.Change(state => action == ReleaseAction.Release
            ? ReservationRules.Release(state, host, current, type)
            : ReservationRules.Clear(state, host, current)).Status;
    }

    private Status Report(CommandSlot slot, Namespace space)
    {
        const uint Extended = 1;
        bool extended = (slot.Command.Dword11 & Extended) != 0;
        ReservationState state = space.Shared.Reservations.State;
        // all identifiers have one format, if there are any
        bool? format = space.Set.Host?.IsExtended ?? (state.Registrants.IsEmpty ? null : state.Registrants[0].Host.IsExtended);
        if (format is not null && format != extended)
            return Status.HostIdInconsistentFormat;
        byte[] report = ReservationReport.Compose(state, parts.Subsystem, extended);
        int length = (int)Math.Min(((long)slot.Command.Dword10 + 1) * sizeof(uint), report.Length);
        Status status = slot.Context.Map(slot.Command, length);
        if (status != Status.Success)
            return status;
        return slot.Context.Data.TryCopyFrom(0, report.AsSpan(0, length)) ? Status.Success : Status.DataTransferError;
    }
}
