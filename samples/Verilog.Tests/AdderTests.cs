using Cosimulation;
using Verilog.Tests.Support;
using VfioUser;
using VfioUser.Testing;

namespace Verilog.Tests;

/// <summary>The hardware of somebody who begins.</summary>
public class AdderTests
{
    [VerilatorFact]
    public void Hardware_with_unused_ports_is_built_and_works()
    {
        using AdderCard card = new(Models.LoadAdder());
        using TestGuest guest = TestGuest.Attach(card);
        guest.StartDriver();
        guest.Bar0.Write(0x0, 2u);
        guest.Bar0.Write(0x4, 3u);

        guest.Bar0.Write(0xC, 1u);

        guest.MsiX[0].WaitForNext();
        guest.Bar0.Read<uint>(0x8).Should().Be(5);
    }

    private sealed class AdderCard : PciDevice
    {
        public AdderCard(VerilatedModel model)
            : base(new PciId(Vendor: 0x1B36, Device: 0x00D5), PciClass.ProcessingAccelerator)
        {
            Bar table = AddBar(2, BarKind.Memory32, size: 0x1000);
            _ = new CosimulatedCore(this, model, new() { RegisterBar = 0, RegisterSize = 0x1000, MsiXBar = table });
        }
    }
}
