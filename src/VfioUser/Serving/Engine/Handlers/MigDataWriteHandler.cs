using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_MIG_DATA_WRITE.</summary>
internal sealed class MigDataWriteHandler : CommandHandler
{
    public override DeviceCode CodeOf(PciDevice device, in ReceivedMessage message) => DeviceCallback.MigrationState;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out MigrationData request, out Refusal refusal))
            return refusal;
        if (session.Device.Migration is not { } migration)
            return Refusal.Invalid("the device cannot be migrated");
        if (!IsServedIn(migration.State, message))
            return Refusal.Invalid("migration state {0} accepts no data", (ulong)migration.State);
        if (request.Size > MigDataReadHandler.LimitOf(session))
            return Refusal.Invalid("{0} bytes exceed the limit of {1} for one message", request.Size, MigDataReadHandler.LimitOf(session));
        if (request.Argsz < MigrationData.WireSize + request.Size)
            return Refusal.ArgszTooSmall(request.Argsz, MigrationData.WireSize + request.Size);
        if (message.Payload.Length - MigrationData.WireSize != request.Size)
            return Refusal.Invalid("size {0} does not match the {1} bytes of data", request.Size, (ulong)(message.Payload.Length - MigrationData.WireSize));
        if (migration.Write(message.Payload[MigrationData.WireSize..]) is { } problem)
        {
            session.Log.MigrationDataRefused(problem);
            return Refusal.Because(Errno.EINVAL, problem);
        }
        return Reply(session, message);
    }
}
