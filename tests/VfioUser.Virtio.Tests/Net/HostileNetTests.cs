using VfioUser.Network;

namespace VfioUser.Virtio.Tests;

/// <summary>Drivers of a network device that lie: their frames are lost, and nothing else.</summary>
public sealed class HostileNetTests
{
    [Theory]
    [InlineData(new byte[] { 1, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0 })] // a checksum far behind the end
    [InlineData(new byte[] { 1, 0, 0, 0, 0, 0, 99, 0, 0, 0, 0, 0 })] // half of it behind the end
    [InlineData(new byte[] { 1, 1, 54, 0, 0, 0, 34, 0, 16, 0, 0, 0 })] // segments of no bytes
    [InlineData(new byte[] { 1, 1, 54, 0, 1, 0, 34, 0, 16, 0, 0, 0 })] // of one byte
    [InlineData(new byte[] { 0, 1, 54, 0, 0xA8, 5, 34, 0, 16, 0, 0, 0 })] // without a checksum
    [InlineData(new byte[] { 1, 3, 54, 0, 0xA8, 5, 34, 0, 16, 0, 0, 0 })] // of UDP, which is not offered
    [InlineData(new byte[] { 1, 0xFF, 54, 0, 0xA8, 5, 34, 0, 16, 0, 0, 0 })]
    public void Frame_with_a_header_that_lies_is_lost(byte[] header)
    {
        using NetGuest guest = new();

        guest.Send(Frames.Tcp(Frames.Peer, 46), header);
        guest.Send(Frames.To(Frames.Peer, 77));

        guest.Cable.Frames.Should().ContainSingle().Which.Should().HaveCount(77);
        guest.Device.Statistics.SendErrors.Should().Be(1);
        guest.Driver.ReadNeedsReset().Should().BeFalse();
    }

    [Fact]
    public void Offload_without_its_feature_is_lost()
    {
        using NetGuest guest = new(features: NetGuest.AllFeatures & ~(ulong)(NetFeatures.HostTso4 | NetFeatures.HostTso6 | NetFeatures.HostEcn));
        (byte[] bytes, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, 3000), segmentSize: 1000);

        guest.Send(bytes, NetGuest.HeaderOf(offload));

        guest.Cable.Frames.Should().BeEmpty();
    }

    [Fact]
    public void Word_of_a_guest_that_a_checksum_is_right_is_not_passed_on()
    {
        using NetGuest guest = new();

        guest.Send(Frames.To(Frames.Peer), [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

        guest.Cable.Sent.Should().ContainSingle().Which.Offload.Should().Be(default(FrameOffload));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(11)]
    [InlineData(25)]
    [InlineData(12 + 65_554)]
    [InlineData(20_000_000)]
    public void Buffer_of_a_length_that_no_frame_has_is_lost(int length)
    {
        using NetGuest guest = new();
        guest.Driver.Queues[1].Add(new VirtioPart(guest.Guest.Memory.Address, length, writable: false));
        guest.Driver.Queues[1].Notify();
        guest.Driver.Queues[1].Take().Written.Should().Be(0);

        guest.Send(Frames.To(Frames.Peer));

        guest.Cable.Frames.Should().ContainSingle();
    }

    [Fact]
    public void Memory_that_is_not_there_loses_the_frame_both_ways()
    {
        using NetGuest guest = new();
        guest.Driver.Queues[1].Add(new VirtioPart(guest.Guest.Place(new byte[300]), 300, writable: false), new VirtioPart(new Iova(0xDEAD_0000_0000), 900, writable: false));
        guest.Driver.Queues[1].Notify();
        guest.Driver.Queues[1].Take();
        guest.Driver.Queues[0].Add(new VirtioPart(new Iova(0xDEAD_0000_0000), 2048, writable: true));
        guest.Driver.Queues[0].Notify();
        guest.Arrive(Frames.To(NetGuest.Own));
        guest.Driver.Queues[0].Take().Written.Should().Be(0);

        guest.Post(1, 2048);
        guest.Arrive(Frames.To(NetGuest.Own, 123));

        guest.Receive().Frame.Should().HaveCount(123);
        guest.Cable.Frames.Should().BeEmpty();
        guest.Device.Statistics.Should().BeEquivalentTo(new { SendErrors = 1L, ReceiveDrops = 1L });
    }

    [Fact]
    public void Buffers_without_room_for_a_header_lose_frames_and_hold_nobody_up()
    {
        using NetGuest first = new();
        using NetGuest second = new(options: new() { Address = Frames.Peer });
        NetworkSwitch middle = new();
        first.Device.Plug(middle.Connect(first.Device));
        second.Device.Plug(middle.Connect(second.Device));
        first.Driver.Queues[0].Add(new VirtioPart(first.Guest.Memory.Allocate(16), 4, writable: true));
        first.Driver.Queues[0].Add(new VirtioPart(first.Guest.Memory.Allocate(2048), 2048, writable: true));
        first.Driver.Queues[0].Notify();

        for (int i = 0; i < 10; i++)
            second.Send(Frames.To(NetGuest.Own));

        second.Device.Statistics.FramesSent.Should().Be(10);
        SpinWait.SpinUntil(() => first.Device.Statistics.ReceiveDrops == 10, TimeSpan.FromSeconds(30)).Should().BeTrue();
    }

    [Fact]
    public void Guest_that_takes_nothing_holds_up_neither_its_neighbour_nor_its_own_reset()
    {
        using NetGuest silent = new();
        using NetGuest sender = new(options: new() { Address = Frames.Peer });
        NetworkSwitch middle = new();
        silent.Device.Plug(middle.Connect(silent.Device));
        sender.Device.Plug(middle.Connect(sender.Device));
        silent.Post(3, 1536);
        byte[] frame = Frames.To(NetGuest.Own, 9000);

        for (int i = 0; i < 300; i++)
            sender.Send(frame);
        silent.Driver.Start();
        silent.Post(20, 1536);
        sender.Send(frame);

        silent.Receive().Frame.Should().Equal(frame);
    }

    [Fact]
    public void Guests_that_reset_while_frames_come_are_served_again()
    {
        using NetGuest first = new(Layout.SplitIndirect);
        using NetGuest second = new(Layout.PackedIndirect, options: new() { Address = Frames.Peer });
        NetworkSwitch middle = new();
        first.Device.Plug(middle.Connect(first.Device));
        second.Device.Plug(middle.Connect(second.Device));
        byte[] frame = Frames.To(NetGuest.Own, 5000);
        using CancellationTokenSource stop = new();
        Thread sending = new(() =>
        {
            while (!stop.IsCancellationRequested)
                second.Send(frame);
        });
        sending.Start();
        for (int i = 0; i < 30; i++)
        {
            first.Post(i, 1536);
            first.Driver.Start();
        }
        stop.Cancel();
        sending.Join();

        first.Driver.Start();
        first.Post(8, 1536);
        second.Send(frame);
        first.Receive().Frame.Should().Equal(frame);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_frames_headers_and_commands_break_nothing(int seed)
    {
        Random random = new(seed);
        NetworkSwitch middle = new();
        CollectingPort plain = new();
        middle.Connect(plain);
        using NetGuest guest = new(seed == 1 ? Layout.SplitIndirect : Layout.PackedIndirect, options: new() { Address = NetGuest.Own, QueuePairs = 2, OffersRss = seed == 2, OffersHashReports = seed == 2 });
        guest.Device.Plug(middle.Connect(guest.Device));
        byte[] command = new byte[24];
        for (int i = 0; i < 1000; i++)
        {
            (byte[] frame, FrameOffload offload) = Frames.Unfinished(Frames.Tcp(Frames.Peer, random.Next(3000)), random.Next(2) * 500);
            byte[] header = NetGuest.HeaderOf(offload);
            for (int j = random.Next(4); j > 0; j--)
                header[random.Next(10)] = (byte)random.Next(256);
            for (int j = random.Next(4); j > 0; j--)
                frame[random.Next(frame.Length)] = (byte)random.Next(256);
            guest.Send(frame[..random.Next(frame.Length + 1)], header, queue: random.Next(2) * 2 + 1);
            random.NextBytes(command);
            (command[0], command[1]) = ((byte)random.Next(7), (byte)random.Next(3));
            guest.Command(command[..random.Next(1, command.Length)], queue: 4);
            if (random.Next(4) == 0)
                guest.Arrive(frame);
            if (random.Next(50) == 0)
                guest.Driver.Start();
        }

        guest.Driver.Start();
        guest.Post(2, 2048);
        guest.Arrive(Frames.To(NetGuest.Own, 99));
        guest.Receive().Frame.Should().HaveCount(99);
        plain.Sent.Should().NotBeEmpty().And.OnlyContain(sent => sent.Offload.Required == PortOffloads.None);
    }
}
