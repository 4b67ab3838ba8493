using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_MIG_DATA_WRITE.</summary>
internal sealed class MigDataWriteHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out MigrationData request) || session.Device.Migration is not { } migration
            || migration.State != MigrationState.Resuming || request.Size > MigDataReadHandler.LimitOf(session)
            || request.Argsz < MigrationData.WireSize + request.Size
            || message.Payload.Length - MigrationData.WireSize != request.Size)
            return Errno.EINVAL;
        if (migration.Write(message.Payload[MigrationData.WireSize..]) is { } problem)
        {
            session.Log.MigrationDataRefused(problem);
            return Errno.EINVAL;
        }
        session.Replies.Begin(message.Header, 0);
        session.Replies.End(0);
        return Errno.None;
    }
}
