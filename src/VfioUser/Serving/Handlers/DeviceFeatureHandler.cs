using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_FEATURE.</summary>
/// <remarks>All features are about migration: a device that has none of it has none of them, as in libvfio-user.</remarks>
internal sealed class DeviceFeatureHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out DeviceFeature request) || session.Device.Migration is not { } migration)
            return Errno.EINVAL;
        DeviceFeatureFlags methods = request.Flags & ~DeviceFeatureFlags.IndexMask;
        if ((methods & ~MethodsOf(request.Feature)) != 0)
            return Errno.EINVAL;
        switch (methods)
        {
            case DeviceFeatureFlags.Get:
                return Get(session, migration, message, request);
            case DeviceFeatureFlags.Set when request.Argsz >= (uint)message.Payload.Length:
                return Set(session, migration, message, request.Feature);
            case var _ when (methods & DeviceFeatureFlags.Probe) != 0 && request.Argsz >= (uint)message.Payload.Length:
                Echo(session, message);
                return Errno.None;
            default:
                return Errno.EINVAL; // none, get and set at once, or a reply that does not fit
        }
    }

    private static DeviceFeatureFlags MethodsOf(DeviceFeatureId feature) => feature switch
    {
        DeviceFeatureId.Migration or DeviceFeatureId.DmaLoggingReport or DeviceFeatureId.MigDataSize => DeviceFeatureFlags.Get | DeviceFeatureFlags.Probe,
        DeviceFeatureId.MigDeviceState => DeviceFeatureFlags.Get | DeviceFeatureFlags.Set | DeviceFeatureFlags.Probe,
        DeviceFeatureId.DmaLoggingStart or DeviceFeatureId.DmaLoggingStop => DeviceFeatureFlags.Set | DeviceFeatureFlags.Probe,
        _ => DeviceFeatureFlags.None,
    };

    private static Errno Get(Session session, DeviceMigration migration, in ReceivedMessage message, in DeviceFeature request)
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

    private static Errno Reply<T>(Session session, in ReceivedMessage message, in DeviceFeature request, T data)
        where T : unmanaged
    {
        int length = DeviceFeature.WireSize + System.Runtime.CompilerServices.Unsafe.SizeOf<T>();
        if (request.Argsz < length)
            return Errno.EINVAL;
        Span<byte> reply = session.Replies.Begin(message.Header, length);
        WireFormat.Write(reply, request with { Argsz = (uint)length });
        WireFormat.Write(reply[DeviceFeature.WireSize..], data);
        session.Replies.End(length);
        return Errno.None;
    }

    private static Errno Report(Session session, in ReceivedMessage message, in DeviceFeature request)
    {
        const int Head = DeviceFeature.WireSize + DmaLoggingReport.WireSize;
        if (!WireFormat.TryRead(message.Payload[DeviceFeature.WireSize..], out DmaLoggingReport range)
            || DirtyPagesReport.SizeOf(range.Length, range.PageSize) is not { } size
            || size > (ulong)session.Limits.MaxBitmapSize || request.Argsz < Head + size)
            return Errno.EINVAL;
        // before there is memory for the bitmap
        Errno errno = session.DmaMappings.Dirty.Check(range.Iova, range.Length);
        if (errno != Errno.None)
            return errno;
        int length = Head + (int)size;
        Span<byte> reply = session.Replies.Begin(message.Header, length);
        session.DmaMappings.Dirty.Report(new DirtyPagesReport(range.Iova, range.Length, range.PageSize, reply[Head..]));
        WireFormat.Write(reply, request with { Argsz = (uint)length });
        WireFormat.Write(reply[DeviceFeature.WireSize..], range);
        session.Replies.End(length);
        return Errno.None;
    }

    private static Errno Set(Session session, DeviceMigration migration, in ReceivedMessage message, DeviceFeatureId feature)
    {
        ReadOnlySpan<byte> data = message.Payload[DeviceFeature.WireSize..];
        switch (feature)
        {
            case DeviceFeatureId.MigDeviceState:
                if (!WireFormat.TryRead(data, out MigrationDeviceState wanted))
                    return Errno.EINVAL;
                using (Rest rest = migration.CanChangeTo(wanted.State)
                    ? session.Quiescence.ComeToRest(QuiesceReason.Migration, message)
                    : default)
                {
                    Errno errno = rest.Errno == Errno.None ? SetState(session, migration, wanted.State) : rest.Errno;
                    if (errno != Errno.None)
                    {
                        if (errno != Quiescence.NoAnswer)
                            migration.Failed();
                        return errno;
                    }
                    Echo(session, message);
                    return Errno.None;
                }
            case DeviceFeatureId.DmaLoggingStart:
                return Start(session, message, data);
            default:
                session.DmaMappings.Dirty.Stop();
                Echo(session, message);
                return Errno.None;
        }
    }

    private static Errno SetState(Session session, DeviceMigration migration, MigrationState target)
    {
        MigrationState before = migration.State;
        Errno errno = Errno.EIO;
        try
        {
            errno = migration.TrySet(target, out string? problem);
            if (problem is not null)
                session.Log.MigrationDataRefused(problem);
            return errno;
        }
        finally
        {
            if (errno != Errno.None)
                session.Log.MigrationStateFailed(before, target, migration.State);
            else if (before != target)
                session.Log.MigrationStateChanged(before, target);
        }
    }

    private static Errno Start(Session session, in ReceivedMessage message, ReadOnlySpan<byte> data)
    {
        if (!WireFormat.TryRead(data, out DmaLoggingControl control))
            return Errno.EINVAL;
        data = data[DmaLoggingControl.WireSize..];
        if (control.RangeCount > (uint)(data.Length / DmaLoggingRange.WireSize))
            return Errno.EINVAL;
        DmaLoggingRange[] ranges = new DmaLoggingRange[control.RangeCount];
        for (int i = 0; i < ranges.Length; i++)
            ranges[i] = WireFormat.Read<DmaLoggingRange>(data[(i * DmaLoggingRange.WireSize)..]);
        Errno errno = session.DmaMappings.Dirty.Start(control.PageSize, ranges, out ulong pageSize);
        if (errno != Errno.None)
            return errno;
        Span<byte> reply = session.Replies.Begin(message.Header, message.Payload.Length);
        message.Payload.CopyTo(reply);
        WireFormat.Write(reply[DeviceFeature.WireSize..], control with { PageSize = pageSize });
        session.Replies.End(reply.Length);
        return Errno.None;
    }

    private static void Echo(Session session, in ReceivedMessage message)
    {
        message.Payload.CopyTo(session.Replies.Begin(message.Header, message.Payload.Length));
        session.Replies.End(message.Payload.Length);
    }
}
