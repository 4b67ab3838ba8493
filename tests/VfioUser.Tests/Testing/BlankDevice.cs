namespace VfioUser.Tests;

/// <summary>A device that has what a test declares, and tells the test what it is told.</summary>
internal sealed class BlankDevice : PciDevice
{
    public BlankDevice(Action<BlankDevice>? declare = null)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F1), PciClass.ProcessingAccelerator)
    {
        declare?.Invoke(this);
    }

    public Action? WhenAttached { get; set; }

    public Action? WhenDetached { get; set; }

    public Action<ResetReason>? WhenReset { get; set; }

    public Action<DmaRegion>? WhenMapped { get; set; }

    public Action<DmaRegion>? WhenUnmapping { get; set; }

    public new Bar AddBar(int number, BarKind kind, ulong size, IRegionHandler? handler = null, bool writable = true) =>
        base.AddBar(number, kind, size, handler, writable);

    public new DeviceRegion AddDeviceRegion(uint type, uint subtype, ulong size, IRegionHandler? handler = null, bool writable = true) =>
        base.AddDeviceRegion(type, subtype, size, handler, writable);

    public new Region AddRom(ReadOnlySpan<byte> image) => base.AddRom(image);

    public new Region AddRom(uint size, IRegionHandler handler) => base.AddRom(size, handler);

    public new Region AddVga(IRegionHandler handler) => base.AddVga(handler);

    public new Intx AddIntx() => base.AddIntx();

    public new IrqVectors AddMsi(int vectors, bool perVectorMask = false, int? capabilityOffset = null) =>
        base.AddMsi(vectors, perVectorMask, capabilityOffset);

    public new Irq AddErrorIrq() => base.AddErrorIrq();

    public new Irq AddRequestIrq() => base.AddRequestIrq();

    public void EnableMigration() => base.EnableMigration();

    protected override void OnAttached() => WhenAttached?.Invoke();

    protected override void OnDetached() => WhenDetached?.Invoke();

    protected override void OnReset(ResetReason reason) => WhenReset?.Invoke(reason);

    protected override void OnDmaMapped(DmaRegion region) => WhenMapped?.Invoke(region);

    protected override void OnDmaUnmapping(DmaRegion region) => WhenUnmapping?.Invoke(region);
}
