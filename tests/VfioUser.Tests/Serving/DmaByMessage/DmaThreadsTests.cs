using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests.Serving;

/// <summary>Threads of the device that use the client's memory while commands are served.</summary>
public sealed class DmaThreadsTests
{
    [Theory]
    [InlineData(false, ServedBy.OwnThread)]
    [InlineData(false, ServedBy.Poller)]
    [InlineData(true, ServedBy.OwnThread)]
    [InlineData(true, ServedBy.Poller)]
    public void Answers_in_any_order_find_their_threads(bool twin, ServedBy by)
    {
        const int Threads = 16;
        using DmaSession session = new(by, twin, new VfioUserServerOptions { DmaTimeout = Wait.Bound, MaxDmaInFlight = Threads });
        Task<byte>[] accesses = [.. Enumerable.Range(0, Threads).Select(i => Wait.Start(() =>
            session.Device.Dma.TryRead(new Iova(DmaSession.Memory + (uint)i), out byte value) ? value : DmaSession.Failed))];
        List<RawReply> requests = [.. Enumerable.Range(0, Threads).Select(_ => session.Back.HearCommand(Command.DmaRead))];
        session.Client.ShouldBeServed();

        foreach (RawReply request in requests.OrderByDescending(request => WireFormat.Read<DmaAccess>(request.Payload).Address))
        {
            session.Answer(request, (byte)(WireFormat.Read<DmaAccess>(request.Payload).Address - DmaSession.Memory));
            if (request == requests[Threads / 2])
                session.Client.ShouldBeServed();
        }

        for (int i = 0; i < Threads; i++)
            accesses[i].ShouldGive((byte)i);
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Threads_and_commands_do_not_get_into_each_others_way(GuestMemoryKind memory)
    {
        ProbeDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { Memory = memory });
        const int Threads = 4, Rounds = 200;
        Iova buffer = guest.Memory.Allocate(Threads * 4096);
        device.Read = (offset, destination) => device.Dma.TryRead(buffer + (ulong)offset % 4096, destination).Should().BeTrue();
        Task[] threads = [.. Enumerable.Range(0, Threads).Select(i => Wait.Start(() =>
        {
            Iova own = buffer + (ulong)i * 4096 + 64;
            for (int round = 0; round < Rounds; round++)
            {
                device.Dma.TryWrite<uint>(own, (uint)round).Should().BeTrue();
                device.Dma.TryRead(own, out int read).Should().BeTrue();
                read.Should().Be(round);
            }
        }))];

        for (uint i = 0; i < Rounds; i++)
        {
            guest.Memory.Write(buffer, i);
            guest.Bar0.Read<uint>(0).Should().Be(i);
            guest.Bar0.Post(0x800, i);
        }

        foreach (Task thread in threads)
            thread.ShouldGive();
        guest.Bar0.Read<uint>(0); // what was posted before is done now
        device.Memory[0x800].Should().Be(Rounds - 1);
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Unmapping_waits_for_the_threads_and_leaves_them_without_memory(GuestMemoryKind memory)
    {
        ProbeDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { Memory = memory });
        using ManualResetEvent begun = new(false);
        Task<int> thread = Wait.Start(() =>
        {
            int done = 0;
            while (device.Dma.TryRead(guest.Memory.Address, out long _))
            {
                done++;
                begun.Set();
            }
            return done;
        });
        begun.ShouldBeSet();

        guest.Client.UnmapDma(guest.Memory.Address.Value, guest.Memory.Size);

        thread.ShouldEnd();
        device.Dma.Regions.Should().BeEmpty();
        guest.Client.GetDeviceInfo().RegionCount.Should().Be(9);
    }
}
