using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>What QEMU 11.1.3 says when a guest boots, as seen on the wire.</summary>
public sealed class QemuDialogueTests
{
    private const DmaMapFlags ReadWrite = DmaMapFlags.Readable | DmaMapFlags.Writeable;
    private const IrqSetFlags EventFdTrigger = (IrqSetFlags)0x24;
    private const IrqSetFlags NoneTrigger = (IrqSetFlags)0x21;

    [Fact]
    public void A_guest_boots()
    {
        using Served served = Served.Start();
        using RawClient qemu = served.Connect();
        using SafeFileHandle ram = Files.Sealed(16 << 20);
        using EventFd intx = new(), msix0 = new(), msix1 = new(), error = new(), request = new();

        Negotiates(qemu);
        MapsItsMemoryWithoutWaiting(qemu, served.Device, ram);
        LooksAtTheDevice(qemu);
        LooksAtTheRegions(qemu);
        ReadsAndSizesTheConfiguration(qemu);
        qemu.Ask(Command.DeviceReset).ShouldBeGranted();

        // the interrupts, first INTx and then MSI-X, each turned off in between
        Sets(qemu, IrqType.Error, 0, error);
        Sets(qemu, IrqType.Request, 0, request);
        Sets(qemu, IrqType.Intx, 0, intx);
        TurnsOff(qemu, IrqType.Intx);
        Sets(qemu, IrqType.MsiX, 0, msix0, msix1);
        Sets(qemu, IrqType.MsiX, 1, msix1);
        served.Device.MsiX[1].Trigger().Should().BeTrue();
        msix1.Take().Should().Be(1);
        intx.Take().Should().Be(0);

        PostsWritesAndReadsThemBack(qemu);
        RemapsLowMemory(qemu, served.Device, ram);
        TurnsOff(qemu, IrqType.MsiX);
        served.Device.MsiX.Should().OnlyContain(irq => !irq.IsEnabled);
        qemu.Ask(Command.DeviceReset).ShouldBeGranted();
    }

    private static void Negotiates(RawClient qemu)
    {
        RawReply reply = qemu.Ask(Command.Version, Served.Version(0, 0, Served.QemuProposal));

        reply.ShouldBegin<ProtocolVersion>(out byte[] text).Should().Be(new ProtocolVersion(0, 0));
        reply.Fds.Should().BeNull("QEMU offers no twin socket");
        string json = System.Text.Encoding.UTF8.GetString(text);
        json.Should().EndWith("\0").And.Contain("\"write_multiple\":true").And.NotContain("twin_socket");
    }

    private static void MapsItsMemoryWithoutWaiting(RawClient qemu, ProbeDevice device, SafeFileHandle ram)
    {
        ushort low = qemu.Say(Command.DmaMap, new DmaMap(32, ReadWrite, 0, 0, 0xA0000), default, ram);
        ushort vga = qemu.Say(Command.DmaMap, new DmaMap(32, DmaMapFlags.Readable, 0, 0xC0000, 0x20000)); // a ROM without descriptor
        ushort bios = qemu.Say(Command.DmaMap, new DmaMap(32, DmaMapFlags.Readable, 0xE0000, 0xE0000, 0x20000), default, ram);
        ushort high = qemu.Say(Command.DmaMap, new DmaMap(32, ReadWrite, 0x100000, 0x100000, 0xF00000), default, ram);

        foreach (ushort id in (ushort[])[low, vga, bios, high])
            qemu.HearReply(id, Command.DmaMap).ShouldBeGranted();
        device.Dma.Regions.Select(region => (region.Address.Value, region.IsWritable, region.Backing)).Should().Equal(
            (0ul, true, DmaBacking.Mapped), (0xC0000ul, false, DmaBacking.Message), (0xE0000ul, false, DmaBacking.Mapped), (0x100000ul, true, DmaBacking.Mapped));
        device.Dma.TryWrite<uint>(new Iova(0x123456), 42).Should().BeTrue();
    }

    private static void LooksAtTheDevice(RawClient qemu)
    {
        qemu.Ask(Command.DeviceGetInfo, new DeviceInfo(16, 0, 0, 0)).ShouldBeGranted<DeviceInfo>().RegionCount.Should().BeGreaterThanOrEqualTo(8);
        for (uint index = 0; index < 5; index++)
            qemu.Ask(Command.DeviceGetIrqInfo, new IrqInfo(16, 0, index, 0)).ShouldBeGranted<IrqInfo>().Index.Should().Be(index);
    }

    private static void LooksAtTheRegions(RawClient qemu)
    {
        foreach (uint index in (uint[])[0, 1, 2, 3, 4, 5, 7])
        {
            RawReply first = qemu.Ask(Command.DeviceGetRegionInfo, new RegionInfo(32, 0, index, 0, 0, 0));
            using FdList? early = first.Fds;
            uint argsz = first.ShouldBeGranted<RegionInfo>().Argsz;
            if (argsz == 32)
                continue;
            RawReply second = qemu.Ask(Command.DeviceGetRegionInfo, new RegionInfo(argsz, 0, index, 0, 0, 0));
            using FdList? fds = second.Fds;
            second.ShouldBegin<RegionInfo>(out byte[] caps).Flags.Should().HaveFlag(RegionFlags.Caps);
            caps.Length.Should().Be((int)argsz - 32);
            fds!.Count.Should().Be(1);
        }
    }

    private static void ReadsAndSizesTheConfiguration(RawClient qemu)
    {
        qemu.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.ConfigIndex, 256)).ShouldBegin<RegionAccess>(out byte[] config);
        config.Should().HaveCount(256);
        BitConverter.ToUInt16(config, 0).Should().Be(0x1B36);

        byte[] sizing = BitConverter.GetBytes(0xFFFFF800);
        qemu.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0x30, ProbeDevice.ConfigIndex, 4), sizing)).ShouldBeGranted<RegionAccess>();
        qemu.Ask(Command.RegionRead, new RegionAccess(0x30, ProbeDevice.ConfigIndex, 4)).ShouldBegin<RegionAccess>(out byte[] rom);
        rom.Should().Equal(sizing, "the ROM has 2 KiB");
    }

    private static void Sets(RawClient qemu, IrqType type, uint start, params EventFd[] eventFds) =>
        qemu.Ask(Command.DeviceSetIrqs, new IrqSet(20, EventFdTrigger, (uint)type, start, (uint)eventFds.Length),
            [.. eventFds.Select(eventFd => eventFd.Handle)]).ShouldBeGranted();

    private static void TurnsOff(RawClient qemu, IrqType type) =>
        qemu.Ask(Command.DeviceSetIrqs, new IrqSet(20, NoneTrigger, (uint)type, 0, 0)).ShouldBeGranted();

    private static void PostsWritesAndReadsThemBack(RawClient qemu)
    {
        for (uint i = 0; i < 64; i++)
            qemu.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(4 * i, ProbeDevice.Plain, 4), BitConverter.GetBytes(i)), MessageFlags.NoReply);
        qemu.Ask(Command.RegionRead, new RegionAccess(4 * 63, ProbeDevice.Plain, 4)).ShouldBegin<RegionAccess>(out byte[] data);
        data.Should().Equal(63, 0, 0, 0);
    }

    private static void RemapsLowMemory(RawClient qemu, ProbeDevice device, SafeFileHandle ram)
    {
        for (int i = 0; i < 20; i++)
        {
            qemu.Ask(Command.DmaUnmap, new DmaUnmap(24, 0, 0xC0000, 0x20000)).ShouldBeGranted<DmaUnmap>();
            qemu.Ask(Command.DmaMap, new DmaMap(32, i % 2 == 0 ? ReadWrite : DmaMapFlags.Readable, 0xC0000, 0xC0000, 0x20000), ram).ShouldBeGranted();
        }
        device.Dma.TryRead(new Iova(0x123456), out int kept).Should().BeTrue();
        kept.Should().Be(42);
    }
}
