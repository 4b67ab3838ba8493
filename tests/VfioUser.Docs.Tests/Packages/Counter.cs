#pragma warning disable CA1050, MA0047 // a first file of one's own has no namespace
using VfioUser;

/// <summary>Counts how often its doorbell was rung.</summary>
public sealed class Counter : PciDevice
{
    public Counter() : base(new PciId(Vendor: 0x1B36, Device: 0x00F1), PciClass.Unclassified)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        Irq rung = bar0.AddMsiX(offset: 0x800, vectors: 1)[0];
        Register<uint> count = bar0.AddRegister<uint>(offset: 0x00, RegisterAccess.ReadOnly);
        bar0.AddDoorbell(offset: 0x04, ring: () => { count.Value++; rung.Trigger(); });
    }
}
