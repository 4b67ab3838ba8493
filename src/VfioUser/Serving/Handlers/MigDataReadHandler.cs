using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_MIG_DATA_READ.</summary>
internal sealed class MigDataReadHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out MigrationData request) || session.Device.Migration is not { } migration
            || !MigrationArcs.IsSaving(migration.State) || request.Size > LimitOf(session)
            || request.Argsz < MigrationData.WireSize + request.Size)
            return Errno.EINVAL;
        // the author's code may use guest memory, which sends replies: only then is the reply's place known
        byte[] data = System.Buffers.ArrayPool<byte>.Shared.Rent((int)request.Size);
        try
        {
            if (!migration.TryRead(data.AsSpan(0, (int)request.Size), out int count))
                return Errno.EIO;
            // as long as was asked for: libvfio-user's client waits for all of it, whatever the true number is
            Span<byte> reply = session.Replies.Begin(message.Header, MigrationData.WireSize + (int)request.Size);
            WireFormat.Write(reply, new MigrationData((uint)(MigrationData.WireSize + count), (uint)count));
            data.AsSpan(0, count).CopyTo(reply[MigrationData.WireSize..]);
            reply[(MigrationData.WireSize + count)..].Clear();
            session.Replies.End(reply.Length);
            return Errno.None;
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
