namespace VfioUser.ColdServer;

/// <summary>A register and an interrupt.</summary>
internal sealed class ColdDevice : PciDevice
{
    public ColdDevice()
        : base(new PciId(0x1B36, 0x00F0), PciClass.Unclassified)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, 0x2000);
        bar0.AddRegister<uint>(0x0);
        bar0.AddMsiX(0x1000, 1);
    }
}
