using System.Runtime.InteropServices;
using Gpio;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>Cloud Hypervisor's way with a device.</summary>
public class RustCrateTests
{
    private const IrqSetFlags Trigger = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger;
    private const IrqSetFlags Off = IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger;

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void A_session_from_negotiation_to_shutdown(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle ram = Memory.Sealed(0x20000);

        using (RustCrateClient client = RustCrateClient.Connect(served.Address))
        {
            client.Regions.Should().HaveCount(9);
            client.Region(Card.Halves).SparseAreas.Should().Equal(new SparseMmapArea(0, 0x1000), new SparseMmapArea(0x2000, 0x1000));
            client.Region(Card.Halves).File.Should().NotBeNull();
            client.Region(Card.Registers).File.Should().BeNull();
            client.Region(Card.Absent).Info.Size.Should().Be(0);
            client.IrqCount.Should().Be(5);

            // memory, of which the device reads and writes what the machine has there
            client.DmaMap(0, 0, 0x10000, ram);
            client.DmaMap(0x10000, 0x1_0000_0000, 0x10000, ram);
            Memory.Write(ram, 0x10004, [1, 2, 3, 4]);
            card.Dma.TryRead(new Iova(0x1_0000_0004), out uint word).Should().BeTrue();
            word.Should().Be(0x04030201);

            // a BAR is sized, registers are accessed
            client.RegionWrite(Card.ConfigSpace, 0x10, 0xFF, 0xFF, 0xFF, 0xFF);
            client.RegionRead<uint>(Card.ConfigSpace, 0x10).Should().Be(0xFFFFF000);
            client.RegionWrite(Card.Registers, 8, 5, 6, 7, 8);
            client.RegionRead<uint>(Card.Registers, 8).Should().Be(0x08070605);

            client.Reset();
            card.Resets.Should().Be(1);

            client.DmaUnmap(0x1_0000_0000, 0x10000);
            client.DmaUnmap(0, 0x10000);
            card.Dma.Regions.Should().BeEmpty();
            client.Shutdown();
        }

        using RustCrateClient next = RustCrateClient.Connect(served.Address);
        next.RegionRead<ushort>(Card.ConfigSpace, 0).Should().Be(Card.Vendor);
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Interrupts_sixteen_eventfds_a_message(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using RustCrateClient client = RustCrateClient.Connect(served.Address);
        EventFd[] eventFds = [.. Enumerable.Range(0, Card.Vectors).Select(_ => new EventFd())];
        using EventFd intx = new();

        client.GetIrqInfo((uint)IrqType.MsiX).Count.Should().Be(Card.Vectors);
        client.GetIrqInfo((uint)IrqType.Msi).Count.Should().Be(0);
        client.SetIrqs((uint)IrqType.Intx, Trigger, 0, 1, intx.Handle);
        card.Intx.Assert();
        intx.Take().Should().Be(1);
        card.Intx.Deassert();
        client.SetIrqs((uint)IrqType.Intx, IrqSetFlags.DataNone | IrqSetFlags.ActionUnmask, 0, 1);
        client.SetIrqs((uint)IrqType.Intx, Off, 0, 0);
        for (int sent = 0; sent < Card.Vectors; sent += 16)
        {
            SafeHandle[] some = [.. eventFds.Skip(sent).Take(16).Select(eventFd => eventFd.Handle)];
            client.SetIrqs((uint)IrqType.MsiX, Trigger, (uint)sent, (uint)some.Length, some);
        }

        foreach (Irq irq in card.MsiX)
            irq.Trigger().Should().BeTrue();

        eventFds.Select(eventFd => eventFd.Take()).Should().OnlyContain(count => count == 1);
        client.SetIrqs((uint)IrqType.MsiX, Off, 0, 0);
        card.MsiX.Should().OnlyContain(irq => !irq.IsEnabled);
        client.Shutdown();
        Array.ForEach(eventFds, eventFd => eventFd.Dispose());
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Rust_crate_drives_the_gpio_sample(ServedBy by)
    {
        GpioCard card = new();
        using Served served = new(by, card);
        using RustCrateClient client = RustCrateClient.Connect(served.Address);
        using EventFd intx = new();

        client.RegionRead<uint>(Card.ConfigSpace, 0).Should().Be(0x0DC8494F);
        client.SetIrqs((uint)IrqType.Intx, Trigger, 0, 1, intx.Handle);
        client.RegionWrite(2, 0, 0x5A);
        client.RegionWrite(2, 4, 0xA5);
        client.RegionRead(2, 2, 1).Should().Equal(0); // enables the interrupt
        card.Inputs = 0x8001;

        card.Outputs.Should().Be(0xA55A);
        intx.Take().Should().Be(1);
        client.RegionRead(2, 1, 1).Should().Equal(0x01);
        client.RegionRead(2, 5, 1).Should().Equal(0x80);
        client.RegionWrite(2, 1, 0);
        client.Shutdown();
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Rust_crate_attaches_an_empty_device(ServedBy by)
    {
        using Served served = new(by, new NullDevice());
        using RustCrateClient client = RustCrateClient.Connect(served.Address);

        client.RegionRead<uint>(Card.ConfigSpace, 0).Should().Be(0x00F01B36);
        client.GetIrqInfo((uint)IrqType.Intx).Count.Should().Be(0);
        client.Reset();
        client.Shutdown();
    }
}
