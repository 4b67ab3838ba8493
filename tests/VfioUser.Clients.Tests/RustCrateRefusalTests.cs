using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Clients.Tests;

/// <summary>What Cloud Hypervisor's client waits for when it is refused: as much as for a success.</summary>
public class RustCrateRefusalTests
{
    private const IrqSetFlags Trigger = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger;
    private const IrqSetFlags Off = IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger;

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void A_refusal_has_the_size_of_a_success(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using RustCrateClient client = RustCrateClient.Connect(served.Address);
        using SafeFileHandle ram = Memory.Sealed(0x10000);
        client.DmaMap(0, 0x10000, 0x10000, ram);

        client.RegionRead(Card.Registers, 0xFFC, 8); // beyond the end, of no region
        client.RegionRead(Card.Absent, 0, 4);
        client.RegionRead(99, 0, 4);
        client.RegionWrite(Card.Registers, 0xFFC, new byte[8]);
        client.RegionWrite(Card.Absent, 0, 1);
        client.RegionWrite(99, ulong.MaxValue, 1, 2, 3, 4);
        client.DmaUnmap(0x14000, 0x1000); // a part of a mapping
        client.DmaUnmap(0x10800, 0x10000);
        client.DmaUnmap(0x10000, 0);
        client.GetIrqInfo(9);
        client.GetIrqInfo(uint.MaxValue);
        client.DmaMap(0, 0x18000, 0x1000, ram); // where there is a mapping
        client.DmaMap(0x800000, 0x80000, 0x1000, ram); // beyond the file
        client.SetIrqs(9, Trigger, 0, 0);
        client.SetIrqs((uint)IrqType.MsiX, Off, Card.Vectors, 1);

        card.Dma.Regions.Should().ContainSingle();
        client.RegionRead<ushort>(Card.ConfigSpace, 0).Should().Be(Card.Vendor);
        client.Shutdown();
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Refusals_of_a_device_without_bars_and_irqs_keep_the_client_in_sync(ServedBy by)
    {
        using Served served = new(by, new NullDevice());
        using RustCrateClient client = RustCrateClient.Connect(served.Address);

        client.RegionWrite(0, 0, 1);
        client.RegionRead(0, 0, 1).Should().HaveCount(1);
        client.GetIrqInfo(9);
        client.RegionRead<uint>(Card.ConfigSpace, 0).Should().Be(0x00F01B36);
        client.Shutdown();
    }
}
