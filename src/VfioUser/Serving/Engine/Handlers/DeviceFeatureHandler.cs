using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_FEATURE.</summary>
/// <remarks>All features are about migration: a device that cannot be migrated has none, as in libvfio-user.</remarks>
internal sealed class DeviceFeatureHandler : CommandHandler
{
    public override DeviceCode CodeOf(PciDevice device, in ReceivedMessage message) => DeviceCallback.MigrationState;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out DeviceFeature request, out Refusal refusal))
            return refusal;
        if (session.Device.Migration is not { } migration)
            return Refusal.Invalid("the device cannot be migrated: it has no feature {0}", (ulong)request.Feature);
        DeviceFeatureFlags methods = request.Flags & ~DeviceFeatureFlags.IndexMask;
        if ((methods & ~MethodsOf(request.Feature)) != 0)
            return Refusal.Invalid("feature {0} does not support methods 0x{1:x}", (ulong)request.Feature, (ulong)methods);
        switch (methods)
        {
            case DeviceFeatureFlags.Get:
                return Get(session, migration, message, request);
            case DeviceFeatureFlags.Set when request.Argsz >= (uint)message.Payload.Length:
                return Set(session, migration, message, request.Feature);
            case var _ when (methods & DeviceFeatureFlags.Probe) != 0 && request.Argsz >= (uint)message.Payload.Length:
                return Echo(session, message);
            case DeviceFeatureFlags.Set:
            case var _ when (methods & DeviceFeatureFlags.Probe) != 0:
                return Refusal.ArgszTooSmall(request.Argsz, (ulong)message.Payload.Length);
            default:
                return Refusal.Invalid("methods 0x{0:x} are not a valid combination", (ulong)methods);
        }
    }

    private static DeviceFeatureFlags MethodsOf(DeviceFeatureId feature) => feature switch
    {
        DeviceFeatureId.Migration or DeviceFeatureId.DmaLoggingReport or DeviceFeatureId.MigDataSize => DeviceFeatureFlags.Get | DeviceFeatureFlags.Probe,
        DeviceFeatureId.MigDeviceState => DeviceFeatureFlags.Get | DeviceFeatureFlags.Set | DeviceFeatureFlags.Probe,
        DeviceFeatureId.DmaLoggingStart or DeviceFeatureId.DmaLoggingStop => DeviceFeatureFlags.Set | DeviceFeatureFlags.Probe,
        _ => DeviceFeatureFlags.None,
    };

    private static CommandOutcome Get(Session session, DeviceMigration migration, in ReceivedMessage message, in DeviceFeature request)
    {
        switch (request.Feature)
        {
            case DeviceFeatureId.Migration:
                MigrationFlags flags = MigrationFlags.StopCopy | (migration.HasPreCopy ? MigrationFlags.PreCopy : MigrationFlags.None);
                return Reply(session, message, request, new MigrationFeature(flags));
            case DeviceFeatureId.MigDeviceState:
                return Reply(session, message, request, new MigrationDeviceState(migration.State, 0));
            case DeviceFeatureId.MigDataSize:
                return Reply(session, message, request, new MigrationDataSize(migration.StopCopyLength));
            default:
                return Report(session, message, request);
        }
    }

    private static CommandOutcome Reply<T>(Session session, in ReceivedMessage message, in DeviceFeature request, T data)
        where T : unmanaged
    {
        int length = DeviceFeature.WireSize + System.Runtime.CompilerServices.Unsafe.SizeOf<T>();
        if (request.Argsz < length)
            return Refusal.ArgszTooSmall(request.Argsz, (ulong)length);
        Span<byte> reply = session.Replies.Begin(message.Header, length);
        WireFormat.Write(reply, request with { Argsz = (uint)length });
        WireFormat.Write(reply[DeviceFeature.WireSize..], data);
        session.Replies.End(length);
        return CommandOutcome.Replied;
    }

    private static CommandOutcome Report(Session session, in ReceivedMessage message, in DeviceFeature request)
    {
        const int HeaderSize = DeviceFeature.WireSize + DmaLoggingReport.WireSize;
        if (!WireFormat.TryRead(message.Payload[DeviceFeature.WireSize..], out DmaLoggingReport range))
            return Refusal.TooShort(message.Payload.Length, HeaderSize);
        if (DirtyPagesReport.SizeOf(range.Length, range.PageSize) is not { } size)
            return Refusal.Invalid("0x{0:x} bytes have no bitmap with pages of {1} bytes", range.Length, range.PageSize);
        if (size > (ulong)session.Limits.MaxBitmapSize)
            return Refusal.Invalid("a bitmap of {0} bytes exceeds the negotiated {1}", size, (ulong)session.Limits.MaxBitmapSize);
        if (request.Argsz < HeaderSize + size)
            return Refusal.ArgszTooSmall(request.Argsz, HeaderSize + size);
        // before memory is allocated for the bitmap
        Refusal refusal = session.GuestRegions.Dirty.Check(range.Iova, range.Length);
        if (!refusal.IsNone)
            return refusal;
        int length = HeaderSize + (int)size;
        Span<byte> reply = session.Replies.Begin(message.Header, length);
        session.GuestRegions.Dirty.Report(new DirtyPagesReport(range.Iova, range.Length, range.PageSize, reply[HeaderSize..]));
        WireFormat.Write(reply, request with { Argsz = (uint)length });
        WireFormat.Write(reply[DeviceFeature.WireSize..], range);
        session.Replies.End(length);
        return CommandOutcome.Replied;
    }

    private static CommandOutcome Set(Session session, DeviceMigration migration, in ReceivedMessage message, DeviceFeatureId feature)
    {
        ReadOnlySpan<byte> data = message.Payload[DeviceFeature.WireSize..];
        switch (feature)
        {
            case DeviceFeatureId.MigDeviceState:
                if (!WireFormat.TryRead(data, out MigrationDeviceState wanted))
                    return Refusal.TooShort(message.Payload.Length, DeviceFeature.WireSize + MigrationDeviceState.WireSize);
                return migration.CanChangeTo(wanted.State)
                    ? CommandOutcome.NeedsQuiesce(QuiesceReason.Migration)
                    : SetState(session, migration, message, wanted.State);
            case DeviceFeatureId.DmaLoggingStart:
                return Start(session, message, data);
            default:
                session.GuestRegions.Dirty.Stop();
                return Echo(session, message);
        }
    }

    // only a change of the migration state requires a quiesced device
    public override CommandOutcome Apply(Session session, in ReceivedMessage message, int position) => SetState(
        session, session.Device.Migration!, message, WireFormat.Read<MigrationDeviceState>(message.Payload[DeviceFeature.WireSize..]).State);

    public override void NotQuiesced(Session session) => session.Device.Migration?.Failed();

    private static CommandOutcome SetState(Session session, DeviceMigration migration, in ReceivedMessage message, MigrationState target)
    {
        MigrationState before = migration.State;
        Refusal refusal = Session.Threw;
        try
        {
            Errno errno = migration.TrySet(target, out string? problem);
            if (problem is not null)
                session.Log.MigrationDataRefused(problem);
            refusal = errno == Errno.None ? default : problem is not null ? Refusal.Because(errno, problem)
                : new Refusal(errno, "there is no transition from migration state {0} to {1}", (ulong)before, (ulong)target);
        }
        finally
        {
            if (!refusal.IsNone)
                session.Log.MigrationStateFailed(before, target, migration.State);
            else if (before != target)
                session.Log.MigrationStateChanged(before, target);
        }
        return refusal.IsNone ? Echo(session, message) : refusal;
    }

    private static CommandOutcome Start(Session session, in ReceivedMessage message, ReadOnlySpan<byte> data)
    {
        const int HeaderSize = DeviceFeature.WireSize + DmaLoggingControl.WireSize;
        if (!WireFormat.TryRead(data, out DmaLoggingControl control))
            return Refusal.TooShort(message.Payload.Length, HeaderSize);
        data = data[DmaLoggingControl.WireSize..];
        if (control.RangeCount > (uint)(data.Length / DmaLoggingRange.WireSize))
            return Refusal.Invalid("{0} bytes of data are too few for {1} ranges", (ulong)data.Length, control.RangeCount);
        DmaLoggingRange[] ranges = new DmaLoggingRange[control.RangeCount];
        for (int i = 0; i < ranges.Length; i++)
            ranges[i] = WireFormat.Read<DmaLoggingRange>(data[(i * DmaLoggingRange.WireSize)..]);
        Refusal refusal = session.GuestRegions.Dirty.Start(control.PageSize, ranges, out ulong pageSize);
        if (!refusal.IsNone)
            return refusal;
        Span<byte> reply = session.Replies.Begin(message.Header, message.Payload.Length);
        message.Payload.CopyTo(reply);
        WireFormat.Write(reply[DeviceFeature.WireSize..], control with { PageSize = pageSize });
        session.Replies.End(reply.Length);
        return CommandOutcome.Replied;
    }

    private static CommandOutcome Echo(Session session, in ReceivedMessage message)
    {
        message.Payload.CopyTo(session.Replies.Begin(message.Header, message.Payload.Length));
        session.Replies.End(message.Payload.Length);
        return CommandOutcome.Replied;
    }
}
