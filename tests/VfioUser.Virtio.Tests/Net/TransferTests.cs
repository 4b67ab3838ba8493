using VfioUser.Network;

namespace VfioUser.Virtio.Tests;

/// <summary>Frames of a network device, both ways.</summary>
public sealed class TransferTests
{
    public static TheoryData<Layout> AllLayouts => Layouts.All;

    public static TheoryData<Layout, GuestMemoryKind> AllMemories => QueueTests.AllMemories;

    [Theory]
    [MemberData(nameof(AllMemories))]
    public void Frames_go_both_ways(Layout layout, GuestMemoryKind memory)
    {
        using NetGuest guest = new(layout, memory);
        guest.Post(4, 2048);

        for (int i = 0; i < 8; i++)
        {
            byte[] sent = Frames.To(Frames.Peer, 60 + 200 * i);
            guest.Send(sent);
            guest.Cable.WaitFor(i + 1)[i].Should().Equal(sent);

            byte[] received = Frames.To(NetGuest.Own, 1514 - i);
            guest.Arrive(received);
            (byte[] header, byte[] frame) = guest.Receive();
            frame.Should().Equal(received);
            header.Should().Equal(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0);
            guest.Post(1, 2048);
        }

        guest.Device.Statistics.Should().BeEquivalentTo(new { FramesSent = 8L, FramesReceived = 8L, SendErrors = 0L, ReceiveDrops = 0L });
    }

    [Theory]
    [MemberData(nameof(AllMemories))]
    public void Frame_of_64_KiB_takes_many_buffers_and_is_visible_at_once(Layout layout, GuestMemoryKind memory)
    {
        using NetGuest guest = new(layout, memory);
        (byte[] bytes, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(NetGuest.Own, 65_000), segmentSize: 1448);
        guest.Post(50, 1536);

        guest.Arrive(bytes, offload);
        guest.Send(bytes, NetGuest.HeaderOf(offload));

        (byte[] header, byte[] frame) = guest.Receive();
        frame.Should().Equal(bytes);
        header.Should().Equal([.. NetGuest.HeaderOf(offload)[..10], 43, 0]);
        guest.Cable.Sent.Should().ContainSingle().Which.Should().BeEquivalentTo((bytes, offload));
    }

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Frames_wait_in_order_until_there_are_buffers_for_all_of_the_first(Layout layout)
    {
        using NetGuest guest = new(layout);
        byte[][] frames = [Frames.To(NetGuest.Own, 5000), Frames.To(NetGuest.Own, 100), Frames.To(NetGuest.Own, 3000), Frames.To(NetGuest.Own, 60)];
        guest.Post(3, 1536);
        foreach (byte[] frame in frames)
            guest.Arrive(frame);
        guest.Driver.Queues[0].TryTake(out _).Should().BeFalse();

        guest.Post(1, 1536);
        guest.Receive().Frame.Should().Equal(frames[0]);
        guest.Post(1, 1536);
        guest.Receive().Frame.Should().Equal(frames[1]);
        guest.Post(3, 1536);
        guest.Receive().Frame.Should().Equal(frames[2]);
        guest.Receive().Frame.Should().Equal(frames[3]);
    }

    [Fact]
    public void Frame_longer_than_a_buffer_that_is_not_merged_is_dropped()
    {
        using NetGuest guest = new(features: NetGuest.AllFeatures & ~(ulong)NetFeatures.MergeableBuffers);
        guest.Post(2, 1526);

        guest.Arrive(Frames.To(NetGuest.Own, 1515));
        guest.Arrive(Frames.To(NetGuest.Own, 1514));

        guest.Receive().Frame.Should().HaveCount(1514);
        guest.Device.Statistics.ReceiveDrops.Should().Be(1);
    }

    [Fact]
    public void Frame_that_the_whole_ring_cannot_hold_is_dropped()
    {
        using NetGuest guest = new(queueSize: 4);
        guest.Post(4, 1000);

        guest.Arrive(Frames.To(NetGuest.Own, 5000));
        guest.Arrive(Frames.To(NetGuest.Own, 3000));

        guest.Receive().Frame.Should().HaveCount(3000);
        guest.Device.Statistics.ReceiveDrops.Should().Be(1);
    }

    [Fact]
    public void Frames_beyond_the_bound_are_lost_and_counted()
    {
        using NetGuest guest = new(options: new() { Address = NetGuest.Own, ReceiveBufferSize = 10_000 });

        for (int i = 0; i < 100; i++)
            guest.Arrive(Frames.To(NetGuest.Own, 1000));

        guest.Device.Statistics.ReceiveDrops.Should().Be(91);
        guest.Post(9, 1536);
        for (int i = 0; i < 9; i++)
            guest.Receive().Frame.Should().HaveCount(1000);
    }

    [Fact]
    public void Guests_exchange_large_frames_whole_and_one_without_offloads_gets_segments()
    {
        NetworkSwitch middle = new();
        using NetGuest first = new(Layout.PackedIndirect);
        using NetGuest second = new(Layout.SplitIndirect, options: new() { Address = Frames.Peer });
        using NetGuest third = new(Layout.Split, features: NetGuest.AllFeatures & ~(ulong)(NetFeatures.GuestTso4 | NetFeatures.GuestTso6 | NetFeatures.GuestEcn | NetFeatures.GuestChecksum));
        foreach (NetGuest guest in (NetGuest[])[first, second, third])
        {
            guest.Device.Plug(middle.Connect(guest.Device));
            guest.Post(60, 1536);
        }
        byte[] whole = Frames.Tcp(Frames.Broadcast, 60_000);
        (byte[] bytes, FrameOffload offload) = Frames.Unfinished(whole, segmentSize: 1448);

        first.Send(bytes, NetGuest.HeaderOf(offload));

        (byte[] header, byte[] frame) = second.Receive();
        frame.Should().Equal(bytes);
        header[..10].Should().Equal(NetGuest.HeaderOf(offload)[..10]);
        List<byte> payload = [];
        while (payload.Count < 60_000)
        {
            (header, frame) = third.Receive();
            header[..10].Should().OnlyContain(value => value == 0);
            Frames.IsValidTcp(frame).Should().BeTrue();
            payload.AddRange(frame[54..]);
        }
        payload.Should().Equal(whole[54..]);
    }

    [Fact]
    public void Sender_whose_memory_is_by_message_reaches_one_whose_is_mapped()
    {
        using NetGuest first = new(memory: GuestMemoryKind.TwinSocket);
        using NetGuest second = new(memory: GuestMemoryKind.TwinSocket, options: new() { Address = Frames.Peer });
        using NetGuest third = new();
        NetworkSwitch middle = new();
        foreach (NetGuest guest in (NetGuest[])[first, second, third])
        {
            guest.Device.Plug(middle.Connect(guest.Device));
            guest.Post(4, 9000);
        }
        byte[] frame = Frames.To(Frames.Broadcast, 8000);

        first.Send(frame);
        third.Send(frame);

        second.Receive().Frame.Should().Equal(frame);
        second.Receive().Frame.Should().Equal(frame);
        third.Receive().Frame.Should().Equal(frame);
    }

    [Fact]
    public void Frames_allocate_nothing()
    {
        using NetGuest guest = new(Layout.SplitWithEvents, queueSize: 256);
        guest.Post(256, 64 << 10);
        byte[] frame = Frames.To(NetGuest.Own, 60_000);
        for (int i = 0; i < 100; i++)
            guest.Arrive(frame);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            guest.Device.Send(new NetworkFrame(frame));

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
        guest.Device.Statistics.FramesReceived.Should().Be(200);
    }

    [Fact]
    public void Sending_allocates_nothing()
    {
        using NetGuest guest = new(Layout.SplitWithEvents, queueSize: 256);
        AllocationPort cable = new();
        guest.Device.Plug(cable);
        Iova bytes = guest.Guest.Memory.Allocate(9000);

        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < 200; i++)
                guest.Driver.Queues[1].Add(new VirtioPart(bytes, 9000, writable: false));
            guest.Driver.Queues[1].NotifyAlways();
            for (int i = 0; i < 200; i++)
                guest.Driver.Queues[1].Take();
        }

        cable.AllocatedBetween(210, 260).Should().Be(0);
    }

    /// <summary>Notes how much its thread has allocated at each frame.</summary>
    private sealed class AllocationPort : INetworkPort
    {
        private readonly long[] _allocated = new long[1000];
        private int _count;

        public long AllocatedBetween(int first, int last) => _allocated[last] - _allocated[first];

        public void Send(in NetworkFrame frame) => _allocated[_count++] = GC.GetAllocatedBytesForCurrentThread();
    }
}
