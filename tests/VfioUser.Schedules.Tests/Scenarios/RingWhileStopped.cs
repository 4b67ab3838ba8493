using System.Runtime.InteropServices;

namespace VfioUser.Schedules;

/// <summary>A guest writes a doorbell in memory while one polls it and another one stops the device, as migration does.</summary>
internal sealed class RingWhileStopped : Scenario
{
    private const uint Last = 2;

    private readonly Card _card = new();
    private string? _problem;
    private bool _stopped;
    private bool _running;
    private uint _rung;

    public RingWhileStopped() => _card.Rung = Handle;

    public override Action[] Threads => [Write, () => _card.Page.Poll(), StopAndStart];

    public override void CheckEnd()
    {
        _card.Page.Poll();
        Schedule.Require(_problem is null, _problem ?? "");
        Schedule.Require(_rung == Last, "the last value is not seen");
    }

    public override void Dispose()
    {
        _card.Dispose();
        base.Dispose();
    }

    private void Write()
    {
        for (uint value = 1; value <= Last; value++)
            Volatile.Write(ref MemoryMarshal.AsRef<uint>(_card.Memory.Span(0, sizeof(uint))), value);
    }

    private void StopAndStart()
    {
        INotifier page = _card.Page;
        page.Drain();
        _card.Activity.Stop();
        page.Enter();
        page.Exit();
        _stopped = true;
        Schedule.Point("is stopped");
        _stopped = false;
        _card.Activity.Start();
        page.Continue();
        _card.Page.Poll();
    }

    // An exception would be the device's, and be caught.
    private void Handle(uint value)
    {
        if (_stopped)
            _problem ??= "called while it is stopped";
        if (_running)
            _problem ??= "called twice at one time";
        if (value <= _rung)
            _problem ??= "called twice for one value";
        _running = true;
        Schedule.Point("handles the doorbell");
        _rung = value;
        _running = false;
    }

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(Vendor: 1, Device: 2), PciClass.Unclassified)
        {
            Bar bar = AddBar(0, BarKind.Memory32, size: 0x1000);
            Memory = bar.ShareMemory(new MemoryArea(0, 0x1000));
            Page = bar.AddDoorbellPage(offset: 0, count: 1, (_, value) => Rung?.Invoke(value));
        }

        public RegionMemory Memory { get; }

        public DoorbellPage Page { get; }

        public Action<uint>? Rung { get; set; }
    }
}
