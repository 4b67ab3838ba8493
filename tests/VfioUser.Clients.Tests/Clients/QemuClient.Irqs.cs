using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <content>Interrupts (hw/vfio/pci.c above hw/vfio-user/device.c).</content>
internal sealed partial class QemuClient
{
    private const IrqSetFlags EventFdTrigger = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger;

    /// <summary>Hands in eventfds, and nulls for vectors that the guest does not use. Runs of either kind are messages of their
    /// own, and none has more than was negotiated.</summary>
    public Errno SetEventFds(IrqType type, uint start, params EventFd?[] eventFds)
    {
        for (int sent = 0; sent < eventFds.Length;)
        {
            bool none = eventFds[sent] is null;
            EventFd?[] run = [.. eventFds.Skip(sent).Take(MaxFds).TakeWhile(eventFd => eventFd is null == none)];
            IrqSet set = new(20, EventFdTrigger, (uint)type, start + (uint)sent, (uint)run.Length);
            Errno errno = Ask(Command.DeviceSetIrqs, Wire.Bytes(set), none ? [] : [.. run.Select(eventFd => eventFd!.Handle)]).Error;
            if (errno != Errno.None)
                return errno;
            sent += run.Length;
        }
        return Errno.None;
    }

    /// <summary>Turns a kind of interrupt off.</summary>
    public Errno DisableIrqs(IrqType type) => SetIrqs(type, IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, 0);

    /// <summary>After the next access to a BAR.</summary>
    public Errno UnmaskIntx() => SetIrqs(IrqType.Intx, IrqSetFlags.DataNone | IrqSetFlags.ActionUnmask, 1);

    private Errno SetIrqs(IrqType type, IrqSetFlags flags, uint count) =>
        Ask(Command.DeviceSetIrqs, Wire.Bytes(new IrqSet(20, flags, (uint)type, 0, count))).Error;
}
