namespace VfioUser.Docs.Tests.Interrupts;

/// <summary>Interrupts for several frames at once, and not too often.</summary>
internal sealed class Coalesced : PciDevice
{
    private readonly InterruptCoalescer _received;
    private readonly InterruptThrottle _throttle;
    private readonly Register<ushort> _delay, _maxDelay, _interval, _frames;
    private readonly Irq _vector;

    public Coalesced()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E9), PciClass.NetworkEthernet)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x2000);
        _vector = bar0.AddMsiX(offset: 0x1000, vectors: 1)[0];
        _delay = bar0.AddRegister<ushort>(0x00);
        _maxDelay = bar0.AddRegister<ushort>(0x02);
        _frames = bar0.AddRegister<ushort>(0x04);
        _interval = bar0.AddRegister<ushort>(0x06);
        _received = new InterruptCoalescer(this, Interrupt);
        _throttle = new InterruptThrottle(this, Interrupt);
    }

    public void Receive() => Post(FrameStored);

    private void FrameStored() => _received.Add(1, new()
    {
        Delay = TimeSpan.FromMicroseconds(_delay.Value), // since the last frame
        MaxDelay = TimeSpan.FromMicroseconds(_maxDelay.Value), // since the first one
        MaxEvents = _frames.Value,
    });

    private void Interrupt()
    {
        if (_throttle.TryPass(TimeSpan.FromMicroseconds(_interval.Value)))
            _vector.Trigger();
    }
}
