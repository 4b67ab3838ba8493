using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>A function that is not a bus master accesses no memory and sends no messages. PCI 3.0 6.2.2.</summary>
public class BusMasterTests
{
    private const ushort BusMaster = 0x0004;

    private readonly BlankDevice _device = new(device =>
    {
        device.RequiresBusMaster = true;
        device.EnableMigration();
    });

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Dma_is_refused_until_the_guest_enables_it(GuestMemoryKind memory)
    {
        using TestGuest guest = TestGuest.Attach(_device, new() { Memory = memory, EnableBusMaster = false });
        Iova address = guest.Place([1, 2, 3, 4]);
        byte[] data = [9, 9, 9, 9];

        _device.Dma.TryRead(address, data).Should().Be(DmaStatus.BusMasterOff);
        _device.Dma.TryWrite(address, [7]).Should().Be(DmaStatus.BusMasterOff);
        _device.Dma.TryAccess(address, 4, writable: true, 0, (_, _) => { }).Should().Be(DmaStatus.BusMasterOff);
        _device.Dma.TryLease(address, 4, writable: true, out _).Should().BeFalse();
        data.Should().Equal(0, 0, 0, 0);
        _device.Dma.Find(address).Should().NotBeNull("it is mapped all the same");

        guest.Enumerate().SetCommand(PciCommands.BusMaster);
        _device.Dma.TryRead(address, data).Should().Be(DmaStatus.Done);
        data.Should().Equal(1, 2, 3, 4);
    }

    [Fact]
    public void A_lease_of_before_is_refused_too_and_still_holds_the_memory()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        Iova address = guest.Place([1]);
        _device.Dma.TryLease(address, 1, writable: true, out DmaLease lease).Should().BeTrue();
        PciFunction function = guest.Enumerate();

        function.ClearCommand(PciCommands.BusMaster);
        lease.TryRead(0, new byte[1]).Should().Be(DmaStatus.BusMasterOff);
        lease.TryWrite(0, [2]).Should().Be(DmaStatus.BusMasterOff);
        lease.TryAccess(0, 1, writable: true, 0, (_, _) => { }).Should().Be(DmaStatus.BusMasterOff);

        function.SetCommand(PciCommands.BusMaster);
        lease.TryWrite(0, [2]).Should().Be(DmaStatus.Done);
        lease.Dispose();
        guest.Memory.Read<byte>(address).Should().Be(2);
    }

    [Fact]
    public void A_reset_disables_bus_mastering_and_memory_mapped_then_waits_for_it()
    {
        using TestGuest guest = TestGuest.Attach(_device, new() { EnableBusMaster = false });
        guest.Config.Write(0x04, BusMaster);
        Iova address = guest.Place([5]);
        _device.Dma.TryRead(address, out byte _).Should().BeTrue();

        guest.Reset();
        _device.Dma.TryRead(address, out byte _).Should().Be(DmaStatus.BusMasterOff);
        guest.Reconnect();
        _device.Dma.TryRead(address, out byte _).Should().Be(DmaStatus.BusMasterOff);

        guest.Config.Write(0x04, BusMaster);
        _device.Dma.TryRead(address, out byte value).Should().BeTrue();
        value.Should().Be(5);
    }

    [Fact]
    public void Device_is_told_when_memory_can_be_reached_again_and_each_change_has_a_number()
    {
        CountingDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new() { EnableBusMaster = false });
        PciFunction function = guest.Enumerate();
        device.Address = guest.Place([5]);
        long before = device.Dma.Generation;

        function.SetCommand(PciCommands.BusMaster);
        function.SetCommand(PciCommands.BusMaster);
        device.Read.Should().Equal(5);
        device.Dma.Generation.Should().Be(before + 1);
        function.ClearCommand(PciCommands.BusMaster);
        device.Dma.Generation.Should().Be(before + 2);
        function.SetCommand(PciCommands.BusMaster);

        device.Read.Should().Equal(5, 5);
        device.Dma.Generation.Should().Be(before + 3);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Migration_restores_bus_mastering(bool isBusMaster)
    {
        BlankDevice target = new(device =>
        {
            device.RequiresBusMaster = true;
            device.EnableMigration();
        });
        using TestGuest guest = TestGuest.Attach(_device);
        Iova address = guest.Place([5]);
        guest.Enumerate().WriteCommand(PciCommands.MemorySpace | (isBusMaster ? PciCommands.BusMaster : 0));

        using TestGuest moved = guest.MigrateTo(target);

        target.Dma.TryRead(address, out byte _).Should().Be(isBusMaster);
    }

    [Fact]
    public void A_device_can_set_the_bit_itself_or_declare_that_it_needs_no_bus_mastering()
    {
        BlankDevice without = new();
        using (TestGuest guest = TestGuest.Attach(without, new() { EnableBusMaster = false }))
            without.Dma.TryRead(guest.Place([5]), out byte _).Should().BeTrue();

        using TestGuest other = TestGuest.Attach(_device, new() { EnableBusMaster = false });
        _device.Config.Write(0x04, BusMaster);
        _device.Dma.TryRead(other.Place([5]), out byte _).Should().BeTrue();
        _device.Invoking(device => device.RequiresBusMaster = false).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void A_refused_access_is_logged_once_until_the_guest_enables_bus_mastering()
    {
        using TestGuest guest = TestGuest.Attach(_device, new() { EnableBusMaster = false });
        Iova address = guest.Place([1]);

        for (int i = 0; i < 3; i++)
            _device.Dma.TryRead(address, out byte _).Should().BeFalse();
        guest.Log.Count(line => line.Contains("bit 2 of the Command register", StringComparison.Ordinal)).Should().Be(1);

        guest.Config.Write(0x04, BusMaster);
        guest.Config.Write<ushort>(0x04, 0);
        _device.Dma.TryRead(address, out byte _).Should().BeFalse();
        guest.Log.Count(line => line.Contains("bit 2 of the Command register", StringComparison.Ordinal)).Should().Be(2);
    }

    [Fact]
    public void Message_interrupts_stay_pending_until_bus_mastering_is_enabled_and_intx_does_not()
    {
        IrqDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new() { EnableBusMaster = false });

        device.MsiX[1].Trigger().Should().BeTrue("it will be delivered");
        device.Msi[2].Trigger().Should().BeTrue();
        device.Intx.Assert().Should().BeTrue();
        device.Error.Trigger().Should().BeTrue();

        guest.MsiX[1].Count.Should().Be(0);
        guest.Msi[2].Count.Should().Be(0);
        device.MsiX[1].IsPending.Should().BeTrue();
        guest.Bar0.Read<byte>(IrqDevice.PendingOffset).Should().Be(0b010);
        guest.Interrupts(IrqType.Error)[0].Count.Should().Be(1);
        guest.Intx.Count.Should().Be(1);

        guest.Config.Write(0x04, BusMaster);
        guest.MsiX[1].Count.Should().Be(1);
        guest.Msi[2].Count.Should().Be(1);
        device.MsiX[1].IsPending.Should().BeFalse();
    }

    [Fact]
    public void The_client_can_trigger_its_eventfds_without_bus_mastering()
    {
        IrqDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new() { EnableBusMaster = false });

        guest.Set(IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, IrqType.MsiX, 0, 2);

        guest.MsiX.TakeAll().Should().Equal(1, 1, 0);
    }

    [Fact]
    public void A_reset_drops_messages_that_wait_for_bus_mastering()
    {
        IrqDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new() { EnableBusMaster = false });
        device.MsiX[0].Trigger().Should().BeTrue();

        guest.Reset();
        guest.Config.Write(0x04, BusMaster);

        guest.MsiX[0].Count.Should().Be(0);
    }

    private sealed class CountingDevice() : PciDevice(new PciId(0x1B36, 0x00F0), PciClass.Other)
    {
        public Iova Address { get; set; }

        /// <summary>What was at <see cref="Address"/> each time.</summary>
        public List<byte> Read { get; } = [];

        protected override void OnBusMasterEnabled()
        {
            if (Dma.TryRead(Address, out byte value))
                Read.Add(value);
        }
    }
}
