using Microsoft.Extensions.Time.Testing;
using VfioUser.Testing;

namespace VfioUser.Tests.Interrupts;

/// <summary>Interrupts for events that the guest makes, as its registers say.</summary>
internal sealed class ModeratedDevice : PciDevice
{
    private readonly Register<uint> _delay, _maxDelay, _maxEvents, _interval;
    private readonly Irq _vector;
    private readonly InterruptThrottle _throttle;

    public ModeratedDevice()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00EA), PciClass.NetworkEthernet)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x2000);
        _vector = bar0.AddMsiX(offset: 0x1000, vectors: 1)[0];
        Coalescer = new InterruptCoalescer(this, Interrupt);
        _throttle = new InterruptThrottle(this, Interrupt);
        bar0.AddDoorbell<uint>(0x00, events => Coalescer.Add((int)events, new()
        {
            Delay = Microseconds(_delay!),
            MaxDelay = Microseconds(_maxDelay!),
            MaxEvents = (int)_maxEvents!.Value,
        }), "EVENTS");
        _delay = bar0.AddRegister<uint>(0x04, new() { Name = "DELAY" });
        _maxDelay = bar0.AddRegister<uint>(0x08, new() { Name = "MAX_DELAY" });
        _maxEvents = bar0.AddRegister<uint>(0x0C, new() { Name = "MAX_EVENTS" });
        _interval = bar0.AddRegister<uint>(0x10, new() { Name = "INTERVAL" });
        bar0.AddDoorbell(0x14, () => Coalescer.Flush(), "FLUSH");
        bar0.AddDoorbell(0x18, () => Taken = Coalescer.TakePending(), "TAKE");
        bar0.AddDoorbell(0x1C, ResetParts, "RESET");
        EnableMigration();
    }

    public InterruptCoalescer Coalescer { get; }

    public bool IsThrottled => _throttle.IsWaiting;

    public bool Taken { get; private set; }

    public static TestGuest Attach(ModeratedDevice device) => TestGuest.Attach(device, new() { TimeProvider = new FakeTimeProvider(), Timeout = TimeSpan.FromSeconds(60) });

    private static TimeSpan Microseconds(Register<uint> register) => TimeSpan.FromMicroseconds((int)register.Value);

    private void Interrupt()
    {
        if (_throttle.TryPass(Microseconds(_interval)))
            _vector.Trigger();
    }

    private void ResetParts()
    {
        Coalescer.Reset();
        _throttle.Reset();
    }
}
