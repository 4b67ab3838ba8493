using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_MIG_DATA_READ.</summary>
internal sealed class MigDataReadHandler : CommandHandler
{
    public override DeviceCode Code => DeviceCallback.MigrationState;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out MigrationData request, out Refusal refusal))
            return refusal;
        if (session.Device.Migration is not { } migration)
            return Refusal.Invalid("the device cannot be migrated");
        if (!MigrationArcs.IsSaving(migration.State))
            return Refusal.Invalid("there is no data to read in migration state {0}", (ulong)migration.State);
        if (request.Size > LimitOf(session))
            return Refusal.Invalid("{0} bytes are more than the {1} of one message", request.Size, LimitOf(session));
        if (request.Argsz < MigrationData.WireSize + request.Size)
            return Refusal.ArgszTooSmall(request.Argsz, MigrationData.WireSize + request.Size);
        // the author's code may use guest memory, which sends replies: only then is the reply's place known
        byte[] data = System.Buffers.ArrayPool<byte>.Shared.Rent((int)request.Size);
        try
        {
            if (!migration.TryRead(data.AsSpan(0, (int)request.Size), out int count))
                return new Refusal(Errno.EIO, "reading the data has failed before");
            // as long as was asked for: libvfio-user's client waits for all of it, whatever the true number is
            Span<byte> reply = session.Replies.Begin(message.Header, MigrationData.WireSize + (int)request.Size);
            WireFormat.Write(reply, new MigrationData((uint)(MigrationData.WireSize + count), (uint)count));
            data.AsSpan(0, count).CopyTo(reply[MigrationData.WireSize..]);
            reply[(MigrationData.WireSize + count)..].Clear();
            session.Replies.End(reply.Length);
            return CommandOutcome.Replied;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(data);
        }
    }

    /// <summary>Bytes in one message, whichever way they go: libvfio-user holds both against what the client announced.</summary>
    public static uint LimitOf(Session session) =>
        (uint)Math.Min(session.Limits.MaxTransferToSend, session.Limits.MaxTransferToReceive);
}
