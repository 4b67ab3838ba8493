using Cosimulation;
using VfioUser;

namespace Verilog;

/// <summary>A copy engine with a checksum, whose hardware is <c>rtl/copy_crc.v</c>: registers in BAR 0, MSI-X in BAR 2.</summary>
public sealed class CopyCard : PciDevice
{
    public CopyCard(VerilatedModel model)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00D4), PciClass.ProcessingAccelerator)
    {
        Config.AddPciExpress(); // with a function-level reset, which a driver may use
        Bar table = AddBar(2, BarKind.Memory32, size: 0x1000);
        Core = new CosimulatedCore(this, model, new() { RegisterBar = 0, RegisterSize = 0x1000, MsiXBar = table });
    }

    public CosimulatedCore Core { get; }
}
