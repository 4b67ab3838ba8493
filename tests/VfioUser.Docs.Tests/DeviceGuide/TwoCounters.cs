namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>A device of two parts.</summary>
internal sealed class TwoCounters : PciDevice
{
    public TwoCounters()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E2), PciClass.SystemPeripheral)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        In = new PulseCounter(this, bar0.AddBlock(0x000, "IN"));
        Out = new PulseCounter(this, bar0.AddBlock(0x100, "OUT"));
    }

    public PulseCounter In { get; }

    public PulseCounter Out { get; }
}
