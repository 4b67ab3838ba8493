using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_SET_IRQS.</summary>
internal sealed class SetIrqsHandler : CommandHandler
{
    private const IrqSetFlags Known = IrqSetFlags.DataTypeMask | IrqSetFlags.ActionTypeMask;

    public override DeviceCode CodeOf(PciDevice device, in ReceivedMessage message) => DeviceCallback.IrqMask;

    public override bool NeedsFds(in ReceivedMessage message) =>
        WireFormat.TryRead(message.Payload, out IrqSet set) && (set.Flags & IrqSetFlags.DataEventFd) != 0;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out IrqSet set, out Refusal refusal))
            return refusal;
        refusal = Check(session.Device, message, set);
        if (refusal.IsNone)
            refusal = Apply(session.Device.IrqsAt(set.Index)!, message, set);
        return refusal.IsNone ? Reply(session, message) : refusal;
    }

    private static Refusal Apply(IrqVectors irqs, in ReceivedMessage message, in IrqSet set)
    {
        ReadOnlySpan<byte> bools = message.Payload[IrqSet.WireSize..];
        IrqSetFlags data = set.Flags & IrqSetFlags.DataTypeMask;
        IrqSetFlags action = set.Flags & IrqSetFlags.ActionTypeMask;
        if (set.Count == 0)
        {
            irqs.Disable();
            return default;
        }
        EventFd[]? eventFds = data == IrqSetFlags.DataEventFd ? TakeEventFds(message) : [];
        if (eventFds is null)
            return Refusal.Invalid("a descriptor is not an eventfd");
        for (int i = 0; i < (int)set.Count; i++)
        {
            Irq irq = irqs[(int)set.Start + i];
            if (data == IrqSetFlags.DataEventFd)
                Bind(irq, action, eventFds.Length == 0 ? null : eventFds[i]);
            else if (data == IrqSetFlags.DataNone || bools[i] != 0)
                Act(irq, action);
        }
        return default;
    }

    // Takes all or none. Only eventfds: a write to a pipe may block for ever, and a read of an epoll descriptor fails.
    private static EventFd[]? TakeEventFds(in ReceivedMessage message)
    {
        for (int i = 0; i < message.FdCount; i++)
        {
            if (!message.Fds!.IsEventFd(i))
                return null;
        }
        EventFd[] eventFds = new EventFd[message.FdCount];
        for (int i = 0; i < eventFds.Length; i++)
            eventFds[i] = new EventFd(message.Fds!.Take(i));
        return eventFds;
    }

    private static Refusal Check(PciDevice device, in ReceivedMessage message, in IrqSet set)
    {
        IrqSetFlags data = set.Flags & IrqSetFlags.DataTypeMask;
        IrqSetFlags action = set.Flags & IrqSetFlags.ActionTypeMask;
        if (set.Argsz < IrqSet.WireSize)
            return Refusal.ArgszTooSmall(set.Argsz, IrqSet.WireSize);
        if ((set.Flags & ~Known) != 0 || !IsOne((uint)data) || !IsOne((uint)action))
            return Refusal.Invalid("flags 0x{0:x} are not one data type and one action", (ulong)set.Flags);
        // error and request interrupts cannot be masked
        if (set.Index is (uint)IrqType.Error or (uint)IrqType.Request && action != IrqSetFlags.ActionTrigger)
            return Refusal.Invalid("interrupts of type {0} cannot be masked", set.Index);
        // a count of 0 only has a meaning with DATA_NONE and ACTION_TRIGGER: it disables all vectors of the type
        if (set.Count == 0 && (set.Start != 0 || data != IrqSetFlags.DataNone || action != IrqSetFlags.ActionTrigger))
            return Refusal.Invalid("count 0 with start {1} and flags 0x{0:x} has no meaning", (ulong)set.Flags, set.Start);
        Refusal refusal = CheckData(set, data, message.Payload.Length - IrqSet.WireSize, message.FdCount);
        if (!refusal.IsNone)
            return refusal;
        if (device.IrqsAt(set.Index) is not { } irqs)
            return Refusal.Invalid("the device has no interrupts of type {0}", set.Index);
        return set.Start >= (uint)irqs.Count || set.Count > (uint)irqs.Count - set.Start
            ? Refusal.Invalid("count {0} from start {1} exceeds the {2} vectors", set.Count, set.Start, (ulong)irqs.Count)
            : default;
    }

    private static Refusal CheckData(in IrqSet set, IrqSetFlags data, int bools, int fds)
    {
        if (data == IrqSetFlags.DataBool)
        {
            return (ulong)bools == set.Count
                ? default
                : Refusal.Invalid("{0} bytes of data do not match {1} vectors", (ulong)bools, set.Count);
        }
        if (bools != 0)
            return Refusal.Invalid("there are {0} bytes of data, and must be none", (ulong)bools);
        return data != IrqSetFlags.DataEventFd || fds == 0 || (uint)fds == set.Count
            ? default
            : Refusal.Invalid("{0} descriptors do not match {1} vectors", (ulong)fds, set.Count);
    }

    private static void Bind(Irq irq, IrqSetFlags action, EventFd? eventFd)
    {
        switch (action)
        {
            case IrqSetFlags.ActionTrigger:
                irq.SetTrigger(eventFd);
                break;
            case IrqSetFlags.ActionMask:
                irq.SetMaskListener(eventFd);
                break;
            default:
                irq.SetUnmaskListener(eventFd);
                break;
        }
    }

    private static void Act(Irq irq, IrqSetFlags action)
    {
        switch (action)
        {
            case IrqSetFlags.ActionTrigger:
                irq.TriggerByClient();
                break;
            case IrqSetFlags.ActionMask:
                irq.Mask();
                break;
            default:
                irq.Unmask();
                break;
        }
    }

    private static bool IsOne(uint bits) => System.Numerics.BitOperations.IsPow2(bits);
}
