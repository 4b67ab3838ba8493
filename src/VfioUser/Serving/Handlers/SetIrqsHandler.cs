using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_DEVICE_SET_IRQS.</summary>
internal sealed class SetIrqsHandler : CommandHandler
{
    private const IrqSetFlags Known = IrqSetFlags.DataTypeMask | IrqSetFlags.ActionTypeMask;

    public override bool NeedsFds(in ReceivedMessage message) =>
        WireFormat.TryRead(message.Payload, out IrqSet set) && (set.Flags & IrqSetFlags.DataEventFd) != 0;

    public override Errno Handle(Session session, in ReceivedMessage message)
    {
        Errno errno = Apply(session.Device, message);
        if (errno != Errno.None)
            return errno;
        session.Replies.Begin(message.Header, 0);
        session.Replies.End(0);
        return Errno.None;
    }

    private static Errno Apply(PciDevice device, in ReceivedMessage message)
    {
        if (!WireFormat.TryRead(message.Payload, out IrqSet set) || set.Argsz < IrqSet.WireSize)
            return Errno.EINVAL;
        ReadOnlySpan<byte> bools = message.Payload[IrqSet.WireSize..];
        IrqSetFlags data = set.Flags & IrqSetFlags.DataTypeMask;
        IrqSetFlags action = set.Flags & IrqSetFlags.ActionTypeMask;
        if (!IsSound(set, data, action, bools.Length, message.FdCount) || device.IrqsAt(set.Index) is not { } irqs
            || set.Start >= (uint)irqs.Count || set.Count > (uint)irqs.Count - set.Start)
            return Errno.EINVAL;

        if (set.Count == 0)
        {
            irqs.Disable();
            return Errno.None;
        }
        EventFd[]? eventFds = data == IrqSetFlags.DataEventFd ? TakeEventFds(message) : [];
        if (eventFds is null)
            return Errno.EINVAL;
        for (int i = 0; i < (int)set.Count; i++)
        {
            Irq irq = irqs[(int)set.Start + i];
            if (data == IrqSetFlags.DataEventFd)
                Bind(irq, action, eventFds.Length == 0 ? null : eventFds[i]);
            else if (data == IrqSetFlags.DataNone || bools[i] != 0)
                Act(irq, action);
        }
        return Errno.None;
    }

    // All or none, and nothing else: to write to a pipe may take for ever, and to read from an epoll descriptor fails.
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

    private static bool IsSound(in IrqSet set, IrqSetFlags data, IrqSetFlags action, int bools, int fds)
    {
        if ((set.Flags & ~Known) != 0 || !IsOne((uint)data) || !IsOne((uint)action))
            return false;
        // errors and requests can be neither masked nor unmasked
        if (set.Index is (uint)PciIrq.Error or (uint)PciIrq.Request && action != IrqSetFlags.ActionTrigger)
            return false;
        // nothing of nothing disables the whole type, and means nothing else
        if (set.Count == 0 && (set.Start != 0 || data != IrqSetFlags.DataNone || action != IrqSetFlags.ActionTrigger))
            return false;
        return data switch
        {
            IrqSetFlags.DataBool => (ulong)bools == set.Count,
            IrqSetFlags.DataEventFd => bools == 0 && (fds == 0 || (uint)fds == set.Count),
            _ => bools == 0,
        };
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
                irq.Trigger();
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
