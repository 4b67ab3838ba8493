using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_RESET.</summary>
internal sealed class DeviceResetHandler : CommandHandler
{
    public override DeviceCode CodeOf(PciDevice device, in ReceivedMessage message) => DeviceCallback.Reset;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message) => message.Payload.IsEmpty
        ? CommandOutcome.NeedsQuiesce(QuiesceReason.Reset)
        : Refusal.Invalid("{0} bytes follow the header", (ulong)message.Payload.Length);

    public override CommandOutcome Apply(Session session, in ReceivedMessage message, int position)
    {
        session.Device.Reset(ResetReason.ClientRequested);
        return Reply(session, message);
    }
}
