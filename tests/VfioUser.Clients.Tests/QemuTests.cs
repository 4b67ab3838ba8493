using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>What QEMU 11.1 does when a machine starts, runs, reboots and ends.</summary>
public class QemuTests
{
    private const ulong Ram = 64 << 20;

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void A_machine_starts_runs_its_guest_and_ends(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle ram = Memory.Sealed(Ram);
        using EventFd intx = new(), error = new(), request = new(), vector0 = new(), vector3 = new();

        using (QemuClient qemu = QemuClient.Connect(served.Address))
        {
            MapsTheMachine(qemu, ram);
            card.Dma.Regions.Select(region => region.Address.Value).Should().Equal(0ul, 0xC0000ul, 0xE0000ul, 0x100000ul, 0xFFFC0000ul);
            LooksAtTheDevice(qemu);
            SetsUpConfigurationSpace(qemu);
            qemu.SetEventFds(IrqType.Intx, 0, intx).Should().Be(Errno.None);
            qemu.SetEventFds(IrqType.Error, 0, error).Should().Be(Errno.None);
            qemu.SetEventFds(IrqType.Request, 0, request).Should().Be(Errno.None);
            qemu.DisableIrqs(IrqType.Intx).Should().Be(Errno.None);
            qemu.Reset();
            qemu.SetEventFds(IrqType.Intx, 0, intx).Should().Be(Errno.None);
            FirmwareRemapsLowMemory(qemu, ram);

            // the guest: a command by DMA, an interrupt by INTx, then MSI-X
            qemu.WriteConfig(4, 0x06, 0x00).Should().Be(Errno.None);
            Memory.Write(ram, 0x200000, [1, 2, 3, 4]);
            for (int i = 0; i < 64; i++)
                qemu.Post(Card.Registers, (ulong)(4 * i), (byte)i, 0, 0, 0);
            qemu.Read<uint>(Card.Registers, 4 * 63).Should().Be(63, "no write is passed by a read");
            card.Dma.TryRead(new Iova(0x200000), out uint word).Should().BeTrue();
            word.Should().Be(0x04030201);
            card.Intx.Assert();
            intx.Take().Should().Be(1);
            qemu.Read<uint>(Card.Registers, 0);
            qemu.UnmaskIntx().Should().Be(Errno.None);
            intx.Take().Should().Be(1, "the level still stands");
            card.Intx.Deassert();
            qemu.UnmaskIntx().Should().Be(Errno.None);
            EnablesMsiX(qemu, card, vector0, vector3);

            // and a reboot
            qemu.WriteConfig(MsiXControl(card), 0x00, 0x00).Should().Be(Errno.None);
            qemu.DisableIrqs(IrqType.MsiX).Should().Be(Errno.None);
            qemu.SetEventFds(IrqType.Intx, 0, intx).Should().Be(Errno.None);
            qemu.DisableIrqs(IrqType.Intx).Should().Be(Errno.None);
            qemu.Reset();
            card.Resets.Should().Be(2);
            qemu.Errors.Should().BeEmpty();
            qemu.Leave();
        }

        using QemuClient next = QemuClient.Connect(served.Address);
        next.Read<ushort>(Card.ConfigSpace, 0).Should().Be(Card.Vendor);
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Eventfds_come_vector_by_vector_with_gaps_and_sixteen_a_message(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using QemuClient qemu = QemuClient.Connect(served.Address);
        EventFd?[] eventFds = [.. Enumerable.Range(0, Card.Vectors).Select(vector => vector % 20 is 3 or 4 ? null : new EventFd())];

        qemu.SetEventFds(IrqType.MsiX, 0, [null]).Should().Be(Errno.None); // MSI-X without a vector
        qemu.SetEventFds(IrqType.MsiX, 0, eventFds).Should().Be(Errno.None);
        foreach (Irq irq in card.MsiX)
            irq.Trigger().Should().Be(eventFds[irq.Vector] is not null);

        eventFds.Should().OnlyContain(eventFd => eventFd == null || eventFd.Take() == 1);
        qemu.SetEventFds(IrqType.MsiX, Card.Vectors, [null]).Should().Be(Errno.EINVAL);
        qemu.SetEventFds((IrqType)9, 0, [null]).Should().Be(Errno.EINVAL);
        qemu.Leave();
        Array.ForEach(eventFds, eventFd => eventFd?.Dispose());
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void A_refusal_fits_into_QEMUs_buffer(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle ram = Memory.Sealed(0x10000);
        using QemuClient qemu = QemuClient.Connect(served.Address);
        qemu.Map(0, 0x10000, ram);

        qemu.Read(Card.Registers, 0xFFC, 8, out _).Should().Be(Errno.EINVAL);
        qemu.Read(Card.Absent, 0, 1, out _).Should().Be(Errno.EINVAL);
        qemu.Write(Card.Registers, 0xFFF, 1, 2).Should().Be(Errno.EINVAL);
        qemu.Write(Card.Absent, 0, 1).Should().Be(Errno.EINVAL);
        qemu.Post(Card.Absent, 0, 1); // to which nothing must come
        qemu.PostMany((Card.Registers, 0x10, [1, 2, 3, 4]), (Card.Absent, 0, [1]), (Card.Registers, 0x20, [5]));
        qemu.GetIrqInfo(9, out _).Should().Be(Errno.EINVAL);
        qemu.Unmap(0x8000, 0x1000);
        qemu.Map(0x8000, 0x1000, ram);
        qemu.Map(0x20000, 0x20000, ram); // beyond the end of the file

        qemu.Errors.Should().HaveCount(3);
        qemu.Read<ushort>(Card.ConfigSpace, 0).Should().Be(Card.Vendor);
        qemu.Leave();
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Writes_that_had_to_wait_come_in_one_message(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using QemuClient qemu = QemuClient.Connect(served.Address);

        qemu.PostMany([.. Enumerable.Range(0, 200).Select(i => (Card.Registers, (ulong)(8 * i), new byte[] { (byte)i, 1, 2, 3, 4, 5, 6, 7 }))]);
        qemu.Post(Card.Registers, 0, 0xAA);

        qemu.Read<ulong>(Card.Registers, 8 * 199).Should().Be(0x07060504030201C7);
        qemu.Read<byte>(Card.Registers, 0).Should().Be(0xAA);
        qemu.Leave();
    }

    // A machine with thousands of sections, whose client reads when it comes to it: headers come whole all the same.
    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Thousands_of_maps_and_unmaps_at_once(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle ram = Memory.Sealed(Ram);
        using QemuClient qemu = QemuClient.Connect(served.Address);

        qemu.Transaction(() =>
        {
            for (ulong page = 0; page < 8000; page++)
                qemu.Map(page * 0x2000, 0x1000, page % 8 == 0 ? ram : null, page % 8 == 0 ? page * 0x1000 : 0);
        });
        card.Dma.Regions.Should().HaveCount(8000);
        qemu.Transaction(() =>
        {
            for (ulong page = 0; page < 8000; page++)
                qemu.Unmap(page * 0x2000, 0x1000);
        });

        card.Dma.Regions.Should().BeEmpty();
        qemu.Errors.Should().BeEmpty();
        qemu.Leave();
    }

    private static void MapsTheMachine(QemuClient qemu, SafeFileHandle ram) => qemu.Transaction(() =>
    {
        qemu.Map(0, 0xA0000, ram);
        qemu.Map(0xC0000, 0x20000, file: null, writable: false); // a ROM
        qemu.Map(0xE0000, 0x20000, ram, 0xE0000, writable: false);
        qemu.Map(0x100000, Ram - 0x100000, ram, 0x100000);
        qemu.Map(0xFFFC0000, 0x40000, file: null, writable: false);
    });

    private static void FirmwareRemapsLowMemory(QemuClient qemu, SafeFileHandle ram)
    {
        for (int i = 0; i < 20; i++)
        {
            qemu.Transaction(() =>
            {
                qemu.Unmap(0xC0000, 0x20000);
                qemu.Map(0xC0000, 0x20000, ram, 0xC0000, writable: i % 2 == 0);
            });
        }
    }

    private static void LooksAtTheDevice(QemuClient qemu)
    {
        qemu.GetDeviceInfo().Should().Be(new DeviceInfo(16, DeviceFlags.Pci | DeviceFlags.Reset, 9, 5));
        foreach (uint index in (uint[])[0, 1, 2, 3, 4, 5, 6, 7])
        {
            (RegionInfo info, byte[] caps, SafeFileHandle? file) = qemu.GetRegionInfo(index);
            info.Index.Should().Be(index);
            info.Flags.HasFlag(RegionFlags.Mmap).Should().Be(file is not null);
            file?.Dispose();
            if (index == Card.Halves)
                WireFormat.Read<RegionCapHeader>(caps).Id.Should().Be(RegionCapId.SparseMmap);
        }
        qemu.GetIrqInfo((uint)IrqType.Error, out IrqInfo error).Should().Be(Errno.None);
        error.Count.Should().Be(1);
        qemu.GetIrqInfo((uint)IrqType.Request, out _).Should().Be(Errno.None);
        qemu.GetIrqInfo((uint)IrqType.Intx, out IrqInfo intx).Should().Be(Errno.None);
        intx.Flags.Should().HaveFlag(IrqInfoFlags.Maskable);
        qemu.GetIrqInfo((uint)IrqType.MsiX, out IrqInfo msiX).Should().Be(Errno.None);
        msiX.Count.Should().Be(Card.Vectors);
    }

    private static void SetsUpConfigurationSpace(QemuClient qemu)
    {
        qemu.Read(Card.ConfigSpace, 0, 256, out byte[] config).Should().Be(Errno.None);
        BitConverter.ToUInt16(config).Should().Be(Card.Vendor);
        byte[] rom = config[0x30..0x34];
        qemu.Read(Card.ConfigSpace, 0x30, 4, out _).Should().Be(Errno.None);
        qemu.WriteConfig(0x30, 0x00, 0xF8, 0xFF, 0xFF).Should().Be(Errno.None);
        qemu.Read<uint>(Card.ConfigSpace, 0x30).Should().Be(0xFFFFF800);
        qemu.WriteConfig(0x30, rom).Should().Be(Errno.None);
        for (ulong bar = 0x10; bar < 0x28; bar += 4)
            qemu.Read<uint>(Card.ConfigSpace, bar);
        qemu.Read(Card.Rom, 0, 0x800, out byte[] contents).Should().Be(Errno.None);
        contents.AsSpan(0, 3).SequenceEqual("ROM"u8).Should().BeTrue();
    }

    // the capability first, then MSI-X without a vector, then what the guest unmasks, one by one
    private static void EnablesMsiX(QemuClient qemu, Card card, EventFd vector0, EventFd vector3)
    {
        qemu.WriteConfig(MsiXControl(card), 0x00, 0x80).Should().Be(Errno.None);
        qemu.DisableIrqs(IrqType.Intx).Should().Be(Errno.None);
        qemu.SetEventFds(IrqType.MsiX, 0, [null]).Should().Be(Errno.None);
        card.MsiX[0].Trigger().Should().BeTrue("the guest has not unmasked it yet");
        qemu.SetEventFds(IrqType.MsiX, 0, vector0).Should().Be(Errno.None);
        vector0.Take().Should().Be(1);

        // for one vector more it takes all back first
        qemu.DisableIrqs(IrqType.MsiX).Should().Be(Errno.None);
        card.MsiX[0].Trigger().Should().BeTrue();
        card.MsiX[3].Trigger().Should().BeTrue();
        qemu.SetEventFds(IrqType.MsiX, 0, vector0, null, null, vector3).Should().Be(Errno.None);
        vector0.Take().Should().Be(1);
        vector3.Take().Should().Be(1);
        card.MsiX[3].Trigger().Should().BeTrue();
        vector3.Take().Should().Be(1);
    }

    private static ulong MsiXControl(Card card) => (ulong)card.Config.MsiX!.Offset + 2;
}
