using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_GET_INFO.</summary>
internal sealed class GetInfoHandler : CommandHandler
{
    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out DeviceInfo info, out Refusal refusal))
            return refusal;
        if (info.Argsz < DeviceInfo.WireSize)
            return Refusal.ArgszTooSmall(info.Argsz, DeviceInfo.WireSize);
        return Reply(session, message, new DeviceInfo(
            DeviceInfo.WireSize, DeviceFlags.Pci | DeviceFlags.Reset, (uint)session.Device.RegionCount, PciDevice.PciIrqCount));
    }

    public override void Refuse(Session session, in ReceivedMessage message, in Refusal refusal) =>
        Refuse(session, message, refusal, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));
}
