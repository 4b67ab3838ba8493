using VfioUser.Protocol;
using VfioUser.Tool.Irqs;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Interrupt types, their vectors and eventfds. Enabled vectors are disabled again.</summary>
internal static class IrqRules
{
    private const string Info = "VFIO_USER_DEVICE_GET_IRQ_INFO";
    private const string Set = "VFIO_USER_DEVICE_SET_IRQS";
    private const IrqSetFlags Bind = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger;
    private const IrqSetFlags Fire = IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger;
    private const ulong CommandRegister = 0x04;
    private const ushort InterruptDisable = 0x400;

    public static Topic Topic { get; } = new("Interrupts",
    [
        new("irq-info", Info, "Each index below num_irqs is answered, with that index and 16 bytes.", Each),
        new("irq-index", Info, "An index from num_irqs on is refused.", Index),
        new("irq-argsz-small", "Message sizes", "An argsz below the fixed size is refused, or answered with the size that is needed.", ArgszSmall),
        new("irq-flags", Info, "Types with vectors can be signalled by eventfd; automasked types can be unmasked.", Flags),
        new("irqs-index", Set, "An index from num_irqs on is refused.", subject => Refuse(subject, irq => new IrqSet(IrqSet.WireSize, Fire, irq.Index + 1000, 0, 1), "an index that does not exist")),
        new("irqs-range", Set, "Vectors that do not exist are refused.", Range),
        new("irqs-flags", Set, "A message has one kind of data and one action: none or two are refused.", Kinds),
        new("irqs-eventfd", Set, "An eventfd is bound to a vector, and signalled when the client triggers that vector.", Signal),
        new("irqs-bool", Set, "Booleans select the vectors of the action.", Bools),
        new("irqs-bool-short", Set, "Fewer booleans than vectors are refused.", subject => Refuse(subject, irq => new IrqSet(IrqSet.WireSize, IrqSetFlags.DataBool | IrqSetFlags.ActionTrigger, irq.Index, 0, 1), "one vector and no boolean")),
        new("irqs-few-eventfds", Set, "Some eventfds, but fewer than vectors, are refused.", Few),
        new("irqs-unbind", Set, "A message without eventfds removes those of the vectors.", Unbind),
        new("irqs-disable", Set, "Start and count 0 without data disable the type, any number of times.", Disable),
        new("irqs-mask", Set, "A maskable type is masked and unmasked.", Mask),
    ])
    { NeedsDevice = true };

    private static Finding Each(Subject subject)
    {
        uint count = Math.Min(subject.Device.Info.IrqCount, 64);
        using Conversation session = subject.Open();
        for (uint i = 0; i < count; i++)
        {
            IrqInfo info = session.Ask(Command.DeviceGetIrqInfo, new IrqInfo(IrqInfo.WireSize, 0, i, 0)).AsAll<IrqInfo>();
            if (info.Index != i || info.Argsz != IrqInfo.WireSize)
                throw new BrokenRuleException($"{IrqName.Of(i)} is answered with index {info.Index} and argsz {info.Argsz}");
        }
        return Finding.Passed;
    }

    private static Finding Index(Subject subject)
    {
        uint count = subject.Device.Info.IrqCount;
        using Conversation session = subject.Open();
        session.Refused(Command.DeviceGetIrqInfo, new IrqInfo(IrqInfo.WireSize, 0, count, 0), $"index {count}");
        session.Refused(Command.DeviceGetIrqInfo, new IrqInfo(IrqInfo.WireSize, 0, uint.MaxValue, 0), "index 4294967295");
        return Finding.Passed;
    }

    private static Finding ArgszSmall(Subject subject)
    {
        using Conversation session = subject.Open();
        Answer answer = session.Ask(Command.DeviceGetIrqInfo, new IrqInfo(8, 0, 0, 0));
        session.StaysInSync();
        return Finding.WarnIf(!answer.IsError && answer.Payload.Length > 8, $"{answer.Payload.Length} bytes were sent to a client that accepts 8");
    }

    private static Finding Flags(Subject subject)
    {
        foreach (IrqInfo irq in subject.Device.Irqs.Where(irq => irq.Count > 0))
        {
            if ((irq.Flags & (IrqInfoFlags.AutoMasked | IrqInfoFlags.Maskable)) == IrqInfoFlags.AutoMasked)
                throw new BrokenRuleException($"{IrqName.Of(irq.Index)} is automasked, and cannot be unmasked");
            if ((irq.Flags & IrqInfoFlags.EventFd) == 0)
                return Finding.Warning($"{IrqName.Of(irq.Index)} has {irq.Count} vectors and no eventfds");
        }
        return Finding.Passed;
    }

    private static Finding Refuse(Subject subject, Func<IrqInfo, IrqSet> set, string what)
    {
        if (Signalled(subject) is not { } irq)
            return NoIrqs;
        using Conversation session = subject.Open();
        session.Refused(Command.DeviceSetIrqs, set(irq), what);
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding Range(Subject subject)
    {
        if (Signalled(subject) is not { } irq)
            return NoIrqs;
        using Conversation session = subject.Open();
        foreach ((uint start, uint count) in (ReadOnlySpan<(uint, uint)>)[(irq.Count, 1), (0, irq.Count + 1), (uint.MaxValue, 2), (1, uint.MaxValue)])
            session.Refused(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, Fire, irq.Index, start, count), $"vectors {start} + {count} of {irq.Count}");
        return Finding.Passed;
    }

    private static Finding Kinds(Subject subject)
    {
        if (Signalled(subject) is not { } irq)
            return NoIrqs;
        using Conversation session = subject.Open();
        foreach (IrqSetFlags flags in (ReadOnlySpan<IrqSetFlags>)[0, IrqSetFlags.DataNone, IrqSetFlags.ActionTrigger, Fire | IrqSetFlags.ActionMask, Fire | IrqSetFlags.DataEventFd])
            session.Refused(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, flags, irq.Index, 0, 1), $"flags 0x{(uint)flags:x}");
        return Finding.Passed;
    }

    private static Finding Signal(Subject subject)
    {
        if (Signalled(subject) is not { } irq)
            return NoIrqs;
        using EventFd eventFd = new();
        using Conversation session = subject.Open();
        Done(session.Ask(Command.DeviceSetIrqs, Bytes.Of(new IrqSet(IrqSet.WireSize, Bind, irq.Index, 0, 1)), eventFd.Handle), "binding an eventfd");
        ushort command = Allow(session);
        Answer fired = session.Ask(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, Fire, irq.Index, 0, 1));
        ulong count = eventFd.Take();
        TurnOff(session, irq);
        session.WriteConfig(CommandRegister, command);
        if (fired.IsError)
            return Finding.Warning($"an eventfd is bound, but triggering the vector is {fired.Refusal}");
        return count == 1 ? Finding.Passed : throw new BrokenRuleException($"vector 0 of {IrqName.Of(irq.Index)} was triggered once, its eventfd {count} times");
    }

    private static Finding Bools(Subject subject)
    {
        if (Signalled(subject) is not { } irq)
            return NoIrqs;
        using EventFd eventFd = new();
        using Conversation session = subject.Open();
        Done(session.Ask(Command.DeviceSetIrqs, Bytes.Of(new IrqSet(IrqSet.WireSize, Bind, irq.Index, 0, 1)), eventFd.Handle), "binding an eventfd");
        ushort command = Allow(session);
        IrqSet fire = new(IrqSet.WireSize + 1, IrqSetFlags.DataBool | IrqSetFlags.ActionTrigger, irq.Index, 0, 1);
        Answer no = session.Ask(Command.DeviceSetIrqs, [.. Bytes.Of(fire), 0]);
        ulong before = eventFd.Take();
        Answer yes = session.Ask(Command.DeviceSetIrqs, [.. Bytes.Of(fire), 1]);
        ulong after = eventFd.Take();
        TurnOff(session, irq);
        session.WriteConfig(CommandRegister, command);
        if (no.IsError || yes.IsError)
            return Finding.NotServed($"triggering by booleans is {(no.IsError ? no : yes).Refusal}");
        return (before, after) == (0, 1) ? Finding.Passed : throw new BrokenRuleException($"false signals {before} times, true {after} times");
    }

    private static Finding Few(Subject subject)
    {
        IrqInfo irq = subject.Device.Irqs.FirstOrDefault(irq => irq.Count > 1 && (irq.Flags & IrqInfoFlags.EventFd) != 0);
        if (irq.Count < 2)
            return Finding.NotServed("no type has two vectors");
        using EventFd eventFd = new();
        using Conversation session = subject.Open();
        Answer answer = session.Ask(Command.DeviceSetIrqs, Bytes.Of(new IrqSet(IrqSet.WireSize, Bind, irq.Index, 0, 2)), eventFd.Handle);
        TurnOff(session, irq);
        return answer.IsError ? Finding.Passed : throw new BrokenRuleException("two vectors accepted one eventfd");
    }

    private static Finding Unbind(Subject subject)
    {
        if (Signalled(subject) is not { } irq)
            return NoIrqs;
        using EventFd eventFd = new();
        using Conversation session = subject.Open();
        byte[] bind = Bytes.Of(new IrqSet(IrqSet.WireSize, Bind, irq.Index, 0, 1));
        Done(session.Ask(Command.DeviceSetIrqs, bind, eventFd.Handle), "binding an eventfd");
        Done(session.Ask(Command.DeviceSetIrqs, bind), "binding none");
        session.Ask(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, Fire, irq.Index, 0, 1));
        ulong count = eventFd.Take();
        TurnOff(session, irq);
        return count == 0 ? Finding.Passed : throw new BrokenRuleException("the removed eventfd is signalled");
    }

    private static Finding Disable(Subject subject)
    {
        bool any = false;
        using Conversation session = subject.Open();
        foreach (IrqInfo irq in subject.Device.Irqs.Where(irq => irq.Count > 0 && (irq.Flags & IrqInfoFlags.EventFd) != 0))
        {
            any = true;
            for (int round = 0; round < 2; round++)
                Done(session.Ask(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, Fire, irq.Index, 0, 0)), $"disabling {IrqName.Of(irq.Index)}");
        }
        return any ? Finding.Passed : NoIrqs;
    }

    private static Finding Mask(Subject subject)
    {
        IrqInfo irq = subject.Device.Irqs.FirstOrDefault(irq => irq.Count > 0 && (irq.Flags & IrqInfoFlags.Maskable) != 0);
        if (irq.Count == 0)
            return Finding.NotServed("no type can be masked");
        using Conversation session = subject.Open();
        foreach (IrqSetFlags action in (ReadOnlySpan<IrqSetFlags>)[IrqSetFlags.ActionMask, IrqSetFlags.ActionUnmask])
            Done(session.Ask(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, IrqSetFlags.DataNone | action, irq.Index, 0, 1)), $"{action} of {IrqName.Of(irq.Index)}");
        return Finding.Passed;
    }

    private static Finding NoIrqs => Finding.NotServed("no type has vectors with eventfds");

    private static IrqInfo? Signalled(Subject subject)
    {
        foreach (IrqInfo irq in subject.Device.Irqs)
        {
            if (irq.Count > 0 && (irq.Flags & IrqInfoFlags.EventFd) != 0)
                return irq;
        }
        return null;
    }

    // An earlier client may have disabled INTx, as SPDK's does: then the device must not signal it.
    private static ushort Allow(Conversation session)
    {
        ushort command = session.ReadConfig<ushort>(CommandRegister);
        session.WriteConfig(CommandRegister, (ushort)(command & ~InterruptDisable));
        return command;
    }

    private static void TurnOff(Conversation session, in IrqInfo irq) =>
        session.Ask(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, Fire, irq.Index, 0, 0));

    private static void Done(Answer answer, string what)
    {
        if (answer.IsError)
            throw new BrokenRuleException($"{what} is {answer.Refusal}");
        if (answer.Payload.Length > 0)
            throw new BrokenRuleException($"the reply to {what} has {answer.Payload.Length} bytes of payload; it must have none");
    }
}
