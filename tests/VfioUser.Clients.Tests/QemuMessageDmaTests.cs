using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Clients.Tests;

/// <summary>QEMU with memory that is not shared: the device asks for it.</summary>
public class QemuMessageDmaTests
{
    private const ulong Ram = 64 << 20;

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Memory_by_messages_in_between_posted_writes_and_reads(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle ram = Memory.Sealed(Ram);
        using QemuClient qemu = QemuClient.Connect(served.Address);
        qemu.Transaction(() => qemu.Map(0, Ram, file: null));
        qemu.WriteConfig(4, 0x06, 0x00).Should().Be(Errno.None);
        Memory.Write(ram, 0x1000, [9, 8, 7, 6]);
        uint word = 0;
        card.Written = offset =>
        {
            if (offset == 0x100)
                card.Dma.TryRead(new Iova(0x1000), out word).Should().BeTrue();
        };

        // a doorbell that has the device read memory before it goes on, and more writes behind it
        qemu.Post(Card.Registers, 0x100, 1, 0, 0, 0);
        for (int i = 0; i < 32; i++)
            qemu.Post(Card.Registers, (ulong)(4 * i), (byte)i, 0, 0, 0);
        qemu.AnswerOne(ram);
        qemu.Read<uint>(Card.Registers, 4 * 31).Should().Be(31);

        word.Should().Be(0x06070809);
        qemu.Leave();
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void Without_bus_mastering_the_device_accesses_no_memory_and_the_session_continues(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle ram = Memory.Sealed(Ram);
        using QemuClient qemu = QemuClient.Connect(served.Address);
        qemu.Transaction(() => qemu.Map(0, Ram, file: null));

        Task<bool> device = Bound.Start<bool>(() => card.Dma.TryRead(new Iova(0x1000), new byte[64]) || card.Dma.TryWrite<uint>(new Iova(0x1000), 1));
        qemu.AnswerDevice(ram, device);

        device.Result().Should().BeFalse();
        qemu.Read<ushort>(Card.ConfigSpace, 0).Should().Be(Card.Vendor);
        qemu.Leave();
    }

    // A guest without shared memory.
    [Theory]
    [InlineData(ServedBy.OwnThread, 0x8000), InlineData(ServedBy.OwnThread, 0x80000), InlineData(ServedBy.OwnThread, 0x400000)]
    [InlineData(ServedBy.Poller, 0x8000), InlineData(ServedBy.Poller, 0x80000), InlineData(ServedBy.Poller, 0x400000)]
    public void Memory_by_messages_in_pieces_that_go_out_whole(ServedBy by, int length)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle ram = Memory.Sealed(Ram);
        using QemuClient qemu = QemuClient.Connect(served.Address);
        byte[] pattern = Memory.Pattern(length), back = new byte[length];
        qemu.Transaction(() => qemu.Map(0, Ram, file: null));
        qemu.WriteConfig(4, 0x06, 0x00).Should().Be(Errno.None);

        Task<bool> device = Bound.Start<bool>(() => card.Dma.TryWrite(new Iova(0x10003), pattern));
        qemu.AnswerDevice(ram, device);
        device.Result().Should().BeTrue();
        device = Bound.Start<bool>(() => card.Dma.TryRead(new Iova(0x10003), back));
        qemu.AnswerDevice(ram, device);
        device.Result().Should().BeTrue();

        back.Should().Equal(pattern);
        Memory.Read(ram, 0x10003, length).Should().Equal(pattern);
        qemu.Errors.Should().BeEmpty();
        qemu.Leave();
    }
}
