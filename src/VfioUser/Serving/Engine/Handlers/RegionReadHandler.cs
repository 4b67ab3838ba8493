using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_REGION_READ.</summary>
internal sealed class RegionReadHandler : CommandHandler
{
    // shorter replies are better sent together
    private const int SendInPlaceFrom = 64 << 10;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out RegionAccess access, out Refusal refusal))
            return refusal;
        if (access.Count > (uint)session.Limits.MaxTransferToReceive)
            return RegionBounds.TooMany(access, session.Limits.MaxTransferToReceive);
        if (!RegionBounds.Contains(session.Device, access, write: false, out Region? region))
            return RegionBounds.Explain(session.Device, access);
        if (access.Count >= SendInPlaceFrom && session.Replies.SendsAtOnce && region?.IsMemory((long)access.Offset, (int)access.Count, out ReadOnlySpan<byte> memory) == true)
        {
            WireFormat.Write(session.Replies.Begin(message.Header, RegionAccess.WireSize), access);
            session.Replies.SendLong(memory);
            return CommandOutcome.Replied;
        }
        Span<byte> payload = session.Replies.Begin(message.Header, RegionAccess.WireSize + (int)access.Count);
        WireFormat.Write(payload, access);
        Span<byte> data = payload[RegionAccess.WireSize..];
        try
        {
            if (region is null)
                session.Device.Config.GuestRead((int)access.Offset, data);
            else
                region.GuestRead((long)access.Offset, data);
        }
        catch (DeviceErrnoException e)
        {
            return session.RefusalFor(DeviceCallback.RegionRead, message.Header.Command, e);
        }
        catch (Exception e)
        {
            // a success, with what a bus returns for a dead device: one known client waits for ever for the data of an error reply
            session.DeviceThrew(DeviceCode.At(session.Device, DeviceCallback.RegionRead, access.Region, (long)access.Offset), message.Header.Command, e);
            data.Fill(0xFF);
        }
        session.Replies.End(payload.Length);
        return CommandOutcome.Replied;
    }

    // Returns all ones, as a bus does for a master abort. A request that exceeds the limit, or needs no reply, gets no data.
    public override void Refuse(Session session, in ReceivedMessage message, in Refusal refusal)
    {
        if (!WireFormat.TryRead(message.Payload, out RegionAccess access) || message.Header.NoReply
            || access.Count > (uint)session.Limits.MaxTransferToReceive)
        {
            Refuse(session, message, refusal, access with { Count = 0 });
            return;
        }
        int length = RegionAccess.WireSize + (int)access.Count;
        Span<byte> payload = session.Replies.Begin(message.Header, length);
        WireFormat.Write(payload, access);
        payload[RegionAccess.WireSize..].Fill(0xFF);
        session.Replies.EndFailed(length, refusal.Errno);
    }
}
