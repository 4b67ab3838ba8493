namespace VfioUser.Tests;

/// <summary>A device that has what a test declares, and tells the test what it is told.</summary>
internal sealed class BlankDevice : PciDevice
{
    public BlankDevice(Action<BlankDevice>? declare = null)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F1), PciClass.ProcessingAccelerator)
    {
        RequiresBusMaster = false; // most tests have no driver that sets the bit
        declare?.Invoke(this);
    }

    public Action? WhenAttached { get; set; }

    public Action? WhenDetached { get; set; }

    public Action<ResetReason>? WhenReset { get; set; }

    public Action<DmaRegion>? WhenMapped { get; set; }

    public Action<DmaRegion>? WhenUnmapping { get; set; }

    public new bool RequiresBusMaster
    {
        get => base.RequiresBusMaster;
        set => base.RequiresBusMaster = value;
    }

    public new bool KeepsDmaDescriptors
    {
        get => base.KeepsDmaDescriptors;
        set => base.KeepsDmaDescriptors = value;
    }

    public void EnableMigration() => base.EnableMigration();

    protected override void OnAttached() => WhenAttached?.Invoke();

    protected override void OnDetached() => WhenDetached?.Invoke();

    protected override void OnReset(ResetReason reason) => WhenReset?.Invoke(reason);

    protected override void OnDmaMapped(DmaRegion region) => WhenMapped?.Invoke(region);

    protected override void OnDmaUnmapping(DmaRegion region) => WhenUnmapping?.Invoke(region);
}
