namespace VfioUser.Vm.Tests.Express;

/// <summary>A card with two resizable BARs, one of which is not at its largest at first, and with virtual functions.</summary>
internal sealed class ResizableCard : PciDevice
{
    public ResizableCard()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00FD), PciClass.ProcessingAccelerator)
    {
        Config.AddPciExpress();
        Bar small = AddBar(2, BarKind.Memory64Prefetchable, size: 64 << 20);
        Bar full = AddBar(4, BarKind.Memory64Prefetchable, size: 32 << 20);
        AddResizableBars(new ResizableBar(small) { InitialSize = 16 << 20, OnResize = _ => Resizes++ }, new ResizableBar(full) { OnResize = _ => Resizes++ });
        Functions = AddSriov(new SriovOptions { TotalVirtualFunctions = 4, DeviceId = 0x00FE, Bars = [new(0, BarKind.Memory64, size: 0x4000)] });
    }

    /// <summary>How often the guest has chosen another size.</summary>
    public int Resizes { get; private set; }

    public SriovCapability Functions { get; }
}
