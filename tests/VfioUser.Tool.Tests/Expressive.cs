namespace VfioUser.Tool.Tests;

/// <summary>A device with the extended capabilities that the library knows, after an error.</summary>
internal sealed class Expressive : PciDevice
{
    public Expressive()
        : base(new PciId(0x1234, 0x5679), PciClass.ProcessingAccelerator)
    {
        Bar bar = AddBar(0, BarKind.Memory64Prefetchable, 16 << 20);
        Config.AddPciExpress(new PciExpressOptions { LinkSpeed = PciExpressLinkSpeed.Gen4, LinkWidth = PciExpressLinkWidth.X8 });
        Config.AddAer().Report(AerUncorrectableErrors.CompletionTimeout, [0x0000_0001, 0x0100_000F, 0xFEE0_0000]);
        Config.AddAcs(AcsFeatures.RequestRedirect);
        Config.AddAts();
        Config.AddLtr();
        AddResizableBars(new ResizableBar(bar) { SmallestSize = 4 << 20, InitialSize = 4 << 20 });
        AddSriov(new SriovOptions { TotalVirtualFunctions = 4, DeviceId = 0x00F2, Bars = [new(0, BarKind.Memory64, 0x4000)] });
    }
}
