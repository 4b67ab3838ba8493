using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_MIG_DATA_READ.</summary>
internal sealed class MigDataReadHandler : CommandHandler
{
    public override DeviceCode CodeOf(PciDevice device, in ReceivedMessage message) => DeviceCallback.MigrationState;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out MigrationData request, out Refusal refusal))
            return refusal;
        if (session.Device.Migration is not { } migration)
            return Refusal.Invalid("the device cannot be migrated");
        if (!IsServedIn(migration.State, message))
            return Refusal.Invalid("migration state {0} has no data to read", (ulong)migration.State);
        if (request.Size > LimitOf(session))
            return Refusal.Invalid("{0} bytes exceed the limit of {1} for one message", request.Size, LimitOf(session));
        if (request.Argsz < MigrationData.WireSize + request.Size)
            return Refusal.ArgszTooSmall(request.Argsz, MigrationData.WireSize + request.Size);
        Span<byte> reply = session.Replies.Begin(message.Header, MigrationData.WireSize + (int)request.Size);
        Span<byte> data = reply[MigrationData.WireSize..];
        if (!migration.TryRead(data, out int count))
            return new Refusal(Errno.EIO, "an earlier read failed");
        // padded to the requested length: libvfio-user's client waits for all of it, whatever the size says
        WireFormat.Write(reply, new MigrationData((uint)(MigrationData.WireSize + count), (uint)count));
        data[count..].Clear();
        session.Replies.End(reply.Length);
        return CommandOutcome.Replied;
    }

    /// <summary>Most bytes of data in one message, in both directions: libvfio-user checks both against what the client announced.</summary>
    public static uint LimitOf(Session session) =>
        (uint)Math.Min(session.Limits.MaxTransferToSend, session.Limits.MaxTransferToReceive);
}
