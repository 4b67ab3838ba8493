using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_REGION_WRITE.</summary>
internal sealed class RegionWriteHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        ReadOnlySpan<byte> payload = message.Payload;
        if (!WireFormat.TryRead(payload, out RegionAccess access) || access.Count > (uint)session.Limits.MaxTransferToReceive
            || access.Count != payload.Length - RegionAccess.WireSize)
            return Errno.EINVAL;
        Errno errno = Write(session, message, access, payload[RegionAccess.WireSize..]);
        if (errno != Errno.None)
            return errno;
        if (message.Header.NoReply)
            return Errno.None;
        WireFormat.Write(session.Replies.Begin(message.Header, RegionAccess.WireSize), access);
        session.Replies.End(RegionAccess.WireSize);
        return Errno.None;
    }

    public override void Refuse(Session session, in ReceivedMessage message, Errno errno)
    {
        _ = WireFormat.TryRead(message.Payload, out RegionAccess access);
        Refuse(session, message, errno, access with { Count = 0 });
    }

    public static Errno Write(Session session, in ReceivedMessage message, in RegionAccess access, ReadOnlySpan<byte> data)
    {
        if (!RegionBounds.Contains(session.Device, access, write: true, out Region? region) || region is { IsWritable: false })
            return Errno.EINVAL;
        if (region is null)
            return WriteConfig(session, message, (int)access.Offset, data);
        region.Write(access.Offset, data);
        return Errno.None;
    }

    private static Errno WriteConfig(Session session, in ReceivedMessage message, int offset, ReadOnlySpan<byte> data)
    {
        using Rest rest = session.Device.Config.PciExpress?.AsksForReset(offset, data) == true
            ? session.Quiescence.ComeToRest(QuiesceReason.Reset, message)
            : default;
        if (rest.Errno == Errno.None)
            session.Device.Config.GuestWrite(offset, data);
        return rest.Errno;
    }
}
