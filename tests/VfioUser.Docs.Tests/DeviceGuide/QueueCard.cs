using VfioUser.Protocol;

namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>A queue whose doorbell the device waits for itself.</summary>
internal sealed class QueueCard : PciDevice
{
    private readonly EventFd _work = new();
    private readonly RegionIoEventFd _queue;

    public QueueCard()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E9), PciClass.Other)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        _queue = bar0.AddIoEventFd(0x08, Drain, new() { Mode = NotificationMode.Polling, EventFd = _work }); // writes by message signal it, too
    }

    public int Drained { get; private set; }

    /// <summary>Waits as an event loop does, which has more to wait for.</summary>
    public bool Turn(TimeSpan timeout) => _work.Wait(timeout) && _queue.Poll();

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _work.Dispose();
    }

    private void Drain() => Drained++;
}
