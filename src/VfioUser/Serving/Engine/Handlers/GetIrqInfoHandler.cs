using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_GET_IRQ_INFO.</summary>
internal sealed class GetIrqInfoHandler : CommandHandler
{
    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out IrqInfo request, out Refusal refusal))
            return refusal;
        if (request.Argsz < IrqInfo.WireSize)
            return Refusal.ArgszTooSmall(request.Argsz, IrqInfo.WireSize);
        if (request.Index >= PciDevice.PciIrqCount)
            return Refusal.Invalid("there is no interrupt type {0}, only {1} types", request.Index, PciDevice.PciIrqCount);
        IrqVectors? irqs = session.Device.IrqsAt(request.Index);
        return Reply(session, message,
            new IrqInfo(IrqInfo.WireSize, irqs?.Flags ?? IrqInfoFlags.EventFd, request.Index, (uint)(irqs?.Count ?? 0)));
    }

    public override void Refuse(Session session, in ReceivedMessage message, in Refusal refusal)
    {
        _ = WireFormat.TryRead(message.Payload, out IrqInfo request);
        Refuse(session, message, refusal, new IrqInfo(IrqInfo.WireSize, 0, request.Index, 0));
    }
}
