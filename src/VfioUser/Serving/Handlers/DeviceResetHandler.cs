using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_RESET.</summary>
internal sealed class DeviceResetHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!message.Payload.IsEmpty)
            return Errno.EINVAL;
        using Rest rest = session.Quiescence.ComeToRest(QuiesceReason.Reset, message);
        if (rest.Errno != Errno.None)
            return rest.Errno;
        session.Device.Reset(ResetReason.Device);
        session.Replies.Begin(message.Header, 0);
        session.Replies.End(0);
        return Errno.None;
    }
}
