using VfioUser.Testing;

namespace VfioUser.Tests.Work;

public sealed class PostedDmaTests
{
    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Posted_action_uses_guest_memory_and_interrupts_as_a_handler_does(GuestMemoryKind memory)
    {
        CountingDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, memory);
        Iova counter = guest.Place(new byte[sizeof(uint)]);

        for (int i = 0; i < 100; i++)
        {
            device.Count(counter);
            guest.Bar0.Write(0, (uint)i); // beside it, commands of the client
        }
        guest.MsiX[0].WaitFor(100);

        byte[] counted = new byte[sizeof(uint)];
        guest.Memory.Read(counter, counted);
        BitConverter.ToUInt32(counted).Should().Be(100);
    }

    private sealed class CountingDevice : PciDevice
    {
        private readonly Irq _done;

        public CountingDevice()
            : base(new PciId(0x1B36, 0x00F8), PciClass.Other)
        {
            Bar bar = AddBar(0, BarKind.Memory32, 0x1000);
            bar.AddRegister<uint>(0);
            _done = bar.AddMsiX(offset: 0x800, vectors: 1)[0];
        }

        public void Count(Iova counter) => Post(() =>
        {
            Span<byte> value = stackalloc byte[sizeof(uint)];
            if (!Dma.TryRead(counter, value))
                throw new InvalidOperationException("The counter cannot be read.");
            BitConverter.TryWriteBytes(value, BitConverter.ToUInt32(value) + 1);
            if (!Dma.TryWrite(counter, value))
                throw new InvalidOperationException("The counter cannot be written.");
            _done.Trigger();
        });
    }
}
