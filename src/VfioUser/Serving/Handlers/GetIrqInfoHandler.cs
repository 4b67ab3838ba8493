using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_GET_IRQ_INFO.</summary>
internal sealed class GetIrqInfoHandler : CommandHandler
{
    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out IrqInfo request) || request.Argsz < IrqInfo.WireSize
            || request.Index >= PciDevice.PciIrqCount)
            return Errno.EINVAL;
        IrqVectors? irqs = session.Device.IrqsAt(request.Index);
        WireFormat.Write(session.Replies.Begin(message.Header, IrqInfo.WireSize),
            new IrqInfo(IrqInfo.WireSize, irqs?.Flags ?? IrqInfoFlags.EventFd, request.Index, (uint)(irqs?.Count ?? 0)));
        session.Replies.End(IrqInfo.WireSize);
        return Errno.None;
    }

    public override void Refuse(Session session, in ReceivedMessage message, Errno errno)
    {
        _ = WireFormat.TryRead(message.Payload, out IrqInfo request);
        Refuse(session, message, errno, new IrqInfo(IrqInfo.WireSize, 0, request.Index, 0));
    }
}
