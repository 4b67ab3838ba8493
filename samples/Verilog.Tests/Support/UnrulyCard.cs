using Cosimulation;
using VfioUser;

namespace Verilog.Tests.Support;

/// <summary>The device of <c>rtl/unruly.v</c>.</summary>
internal sealed class UnrulyCard : PciDevice
{
    public UnrulyCard()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00D5), PciClass.ProcessingAccelerator)
    {
        Bar table = AddBar(2, BarKind.Memory32, size: 0x1000);
        Core = new CosimulatedCore(this, Models.LoadUnruly(), new() { Interrupts = 4, MsiXBar = table, MaxAccessCycles = 1000 });
    }

    public CosimulatedCore Core { get; }
}
