using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_GET_INFO.</summary>
internal sealed class GetInfoHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out DeviceInfo info) || info.Argsz < DeviceInfo.WireSize)
            return Errno.EINVAL;
        WireFormat.Write(session.Replies.Begin(message.Header, DeviceInfo.WireSize), new DeviceInfo(
            DeviceInfo.WireSize, DeviceFlags.Pci | DeviceFlags.Reset, (uint)session.Device.RegionCount, PciDevice.PciIrqCount));
        session.Replies.End(DeviceInfo.WireSize);
        return Errno.None;
    }

    public override void Refuse(Session session, in ReceivedMessage message, Errno errno) =>
        Refuse(session, message, errno, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));
}
