using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_GET_REGION_IO_FDS. No region has any: clients then send messages.</summary>
internal sealed class GetRegionIoFdsHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out RegionIoFds request) || request.Flags != 0 || request.Count != 0
            || request.Argsz < RegionIoFds.WireSize || request.Argsz > (uint)session.Limits.MaxTransferToReceive
            || RegionBounds.SizeOf(session.Device, request.Index, session.Device.RegionAt(request.Index)) == 0)
            return Errno.EINVAL;
        WireFormat.Write(session.Replies.Begin(message.Header, RegionIoFds.WireSize),
            new RegionIoFds(RegionIoFds.WireSize, 0, request.Index, 0));
        session.Replies.End(RegionIoFds.WireSize);
        return Errno.None;
    }
}
