using VfioUser.Protocol;

namespace VfioUser.Schedules;

/// <summary>A device triggers a vector while the client masks and unmasks it.</summary>
internal sealed class MaskWhileTriggered : Scenario
{
    private readonly Irq _irq = new(IrqType.MsiX, 0);
    private readonly EventFd _eventFd = new();
    private ulong _interrupts;

    public MaskWhileTriggered() => _irq.SetTrigger(_eventFd);

    public override Action[] Threads => [() => _irq.Trigger(), () => _irq.Trigger(), MaskAndUnmask];

    public override void CheckEnd()
    {
        _interrupts += _eventFd.Take();
        Schedule.Require(!_irq.IsPending, "an interrupt is kept back");
        Schedule.Require(_interrupts is 1 or 2, $"{_interrupts} interrupts"); // behind the mask two become one
    }

    public override void Dispose()
    {
        _irq.SetTrigger(null);
        base.Dispose();
    }

    private void MaskAndUnmask()
    {
        _irq.Mask();
        _interrupts += _eventFd.Take();
        Schedule.Point("is masked");
        Schedule.Require(_eventFd.Take() == 0, "interrupted while it was masked");
        _irq.Unmask();
    }
}
