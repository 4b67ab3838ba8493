namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>What a device is told about its clients.</summary>
internal sealed class Diary : PciDevice
{
    private readonly List<string> _lines = [];

    public Diary()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E6), PciClass.Other)
    {
        AddBar(0, BarKind.Memory32, size: 0x1000).AddDoorbell(0x00, () => throw new InvalidDataException("nobody rings here"));
    }

    public IReadOnlyList<string> Lines => _lines;

    protected override void OnAttached() => _lines.Add("attached");

    protected override void OnDmaMapped(DmaRegion region) => _lines.Add("mapped");

    protected override void OnReset(ResetReason reason) => _lines.Add($"reset: {reason}");

    protected override void OnDmaUnmapping(DmaRegion region) => _lines.Add("unmapping");

    protected override void OnDetached() => _lines.Add("detached");
}
