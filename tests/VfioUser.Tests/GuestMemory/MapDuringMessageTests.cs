using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>QEMU answers no DMA_READ while it waits for the reply to a map or an unmap, as under a virtual IOMMU.</summary>
public class MapDuringMessageTests
{
    private const ulong Elsewhere = 0x9000_0000_0000;

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public async Task Maps_by_message_do_not_wait_for_a_worker_that_waits_for_the_client(GuestMemoryKind memory)
    {
        using ReadingDevice device = new();
        using var guest = TestGuest.Attach(device, memory);
        Iova place = guest.Place("here"u8);
        using GuestDmaFault held = guest.Faults.HoldDma();
        Task<byte> read = device.ReadAsync(place);
        held.WaitForHits();

        guest.Client.MapDma(Elsewhere, 0x1000);
        guest.Client.UnmapDma(Elsewhere, 0x1000);

        read.IsCompleted.Should().BeFalse();
        held.Release();
        (await read.WaitAsync(Background.Timeout)).Should().Be((byte)'h');
    }

    [Theory]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public async Task Unmap_does_not_wait_for_an_access_by_message_which_the_client_answers_afterwards(GuestMemoryKind memory)
    {
        using ReadingDevice device = new();
        using var guest = TestGuest.Attach(device, memory);
        Iova place = guest.Place("here"u8);
        long generation = device.Dma.Generation;
        using GuestDmaFault held = guest.Faults.HoldDma();
        Task<byte> read = device.ReadAsync(place);
        held.WaitForHits();

        guest.Client.UnmapDma(guest.Memory.Address.Value, guest.Memory.Size);

        device.Dma.Generation.Should().BeGreaterThan(generation);
        device.Dma.TryRead(place, out byte _).Should().Be(DmaStatus.NotMapped);
        read.IsCompleted.Should().BeFalse();
        held.Release();
        (await read.WaitAsync(Background.Timeout)).Should().Be((byte)'h');
    }

    private sealed class ReadingDevice : PciDevice
    {
        private readonly TaskCompletionSource<Iova> _place = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource<byte> _read = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ReadingDevice()
            : base(new PciId(0x1B36, 0x00F4), PciClass.Other)
        {
            RequiresBusMaster = false;
            AddWorker("reader", async (work, stop) =>
            {
                Iova place = await _place.Task.WaitAsync(stop);
                using (await work.EnterAsync())
                {
                    Dma.TryRead(place, out byte value);
                    _read.SetResult(value);
                }
            });
        }

        public Task<byte> ReadAsync(Iova place)
        {
            _place.SetResult(place);
            return _read.Task;
        }
    }
}
