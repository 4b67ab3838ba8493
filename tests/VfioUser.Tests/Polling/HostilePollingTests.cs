using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Polling;

/// <summary>Clients that stall, flood and vanish, on the one thread that others need too: it is the test's.</summary>
public sealed class HostilePollingTests
{
    private static byte[] Read(ushort id, uint count = ProbeDevice.PlainSize) =>
        RawClient.Message(id, Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, count));

    // without waiting for a server that has no thread
    private static int SayWhatFits(RawClient client, ReadOnlySpan<byte> bytes) =>
        Math.Max(0, SocketCalls.Send(client.Socket, bytes, default, default, Libc.MsgDontWait));

    [Fact]
    public void A_message_may_come_byte_by_byte()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Connect();
        byte[] version = RawClient.Message(1, Command.Version, Served.Version(0, 0, Served.QemuProposal));
        byte[] read = Read(2, count: 4);

        foreach (byte piece in version.Concat(read))
        {
            client.SayBytes([piece]);
            rig.IsReady.Should().BeTrue();
            rig.Poller.Process();
        }

        client.HearReply(1, Command.Version);
        client.HearReply(2, Command.RegionRead);
        rig.IsReady.Should().BeFalse();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(20)]
    public void A_client_that_does_not_negotiate_in_time_is_disconnected_and_the_descriptor_is_ready_then(int length)
    {
        using PollerRig rig = new(new VfioUserServerOptions { NegotiationTimeout = TimeSpan.FromMilliseconds(300) });
        using RawClient client = rig.Connect();
        client.SayBytes(RawClient.Message(1, Command.Version, Served.Version(0, 0, "{}")).AsSpan(0, length));
        rig.Until(PollEvents.Connected);

        rig.Until(PollEvents.Detached);

        client.ShouldHearTheEnd();
        rig.Log.Has(CapturedLog.NegotiationFailed).Should().BeTrue();
        using RawClient next = rig.Attach();
        rig.IsReady.Should().BeFalse("the time is no event any more");
    }

    [Fact]
    public void The_bound_holds_and_what_is_left_keeps_the_descriptor_readable()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        byte[][] flood = [.. Enumerable.Range(1, 100).Select(id => Read((ushort)id, count: 4))];
        client.SayBytes([.. flood.SelectMany(bytes => bytes)]);

        for (int handled = 0; handled < 100; handled += 10)
        {
            rig.IsReady.Should().BeTrue();
            PollResult result = rig.Poller.Process(maxCommands: 10);
            result.Commands.Should().Be(10);
            (result.Events & PollEvents.More).Should().Be(handled == 90 ? PollEvents.None : PollEvents.More);
        }

        rig.IsReady.Should().BeFalse();
        for (ushort id = 1; id <= 100; id++)
            client.HearReply(id, Command.RegionRead);
    }

    [Fact]
    public void A_flood_of_one_client_does_not_starve_other_devices()
    {
        using PollerRig flooded = new(), other = new();
        using RawClient client = flooded.Attach(), quiet = other.Attach();
        byte[] posted = RawClient.Message(1, Command.RegionWrite, new RegionAccess(0, ProbeDevice.Plain, 0), MessageFlags.NoReply);
        byte[] many = [.. Enumerable.Repeat(posted, 4000).SelectMany(bytes => bytes)];

        for (ushort id = 1; id <= 50; id++)
        {
            SayWhatFits(client, many);
            quiet.SayBytes(Read(id, count: 4));

            flooded.Poller.Process(maxCommands: 16).Commands.Should().BeLessThanOrEqualTo(16);
            other.Poller.Process(maxCommands: 16).Commands.Should().Be(1);

            quiet.HearReply(id, Command.RegionRead);
        }
    }

    [Fact]
    public void A_client_that_reads_no_replies_is_not_read_from_and_gets_all_in_order_later()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        int said = 0;
        int handled = 0;
        for (int more = 1; more > 0;)
        {
            int before = said;
            // whole messages alone fit or do not: they are far smaller than what the socket takes
            while (said < 60_000 && SayWhatFits(client, Read((ushort)(said + 1))) > 0)
                said++;
            more = rig.UntilIdle();
            handled += more;
            more += said - before;
        }
        handled.Should().BeLessThan(said, "what it does not read stops it");
        rig.IsReady.Should().BeFalse();

        for (int id = 1; id <= said; id++)
        {
            rig.UntilIdle();
            client.HearReply((ushort)id, Command.RegionRead).Payload.Should().HaveCount(RegionAccess.WireSize + (int)ProbeDevice.PlainSize);
        }

        rig.UntilIdle();
        rig.IsReady.Should().BeFalse();
    }

    [Fact]
    public void A_descriptor_waits_with_the_reply_that_it_belongs_to()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        byte[] info = RawClient.Message(9999, Command.DeviceGetRegionInfo, new RegionInfo(4096, 0, ProbeDevice.Shared, 0, 0, 0));
        int said = 0;
        do
        {
            // one after the other in one call, so that in the end one of them waits behind the other
            client.SayBytes([.. Read(1), .. info]);
            said += 2;
        }
        while (rig.UntilIdle() > 0);

        for (; said > 0; said--)
        {
            rig.UntilIdle();
            RawReply reply = client.Hear();
            (reply.Fds?.Count ?? 0).Should().Be(reply.Header.Command == Command.DeviceGetRegionInfo ? 1 : 0);
            reply.Fds?.Dispose();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_client_that_leaves_replies_unread_makes_room_for_the_next(bool refused)
    {
        using PollerRig rig = new();
        using (RawClient client = rig.Attach())
        {
            while (SayWhatFits(client, Read(1)) > 0)
            {
            }
            rig.UntilIdle();
            if (refused)
                SayWhatFits(client, RawClient.Message(new MessageHeader(1, Command.RegionRead, 1, MessageFlags.Command, 0)));
        }

        rig.Until(PollEvents.Detached);

        using RawClient next = rig.Attach();
        next.SayBytes(Read(5));
        rig.Poller.Process().Commands.Should().Be(1);
        next.HearReply(5, Command.RegionRead);
    }

    [Fact]
    public void Broken_framing_ends_the_session_with_an_answer()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        client.SayBytes(RawClient.Message(new MessageHeader(77, Command.RegionRead, 1, MessageFlags.Command, 0)));

        rig.Poller.Process().Events.Should().Be(PollEvents.Detached);

        client.HearReply(77, Command.RegionRead).ShouldBeRefusedAlone(Errno.EINVAL);
        client.ShouldHearTheEnd();
        rig.Poller.LastError.Should().BeOfType<ProtocolException>();
    }

    [Fact]
    public void Commands_that_another_thread_received_during_dma_are_an_event()
    {
        using PollerRig rig = new();
        using RawClient client = rig.Attach();
        client.Say(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000));
        rig.Until(PollEvents.Commands);
        client.Hear().ShouldBeGranted();
        Task<bool> reading = Wait.Start<bool>(() => rig.Device.Dma.TryRead(new Iova(0x1000), new byte[4]));
        RawReply request = client.HearCommand(Command.DmaRead); // it receives now

        client.SayBytes(Read(3, count: 4));
        client.Answer(request, RawClient.Bytes(WireFormat.Read<DmaAccess>(request.Payload), 1, 2, 3, 4));
        reading.ShouldGive(true); // so the command lies in the socket no more

        rig.IsReady.Should().BeTrue();
        rig.Poller.Process().Commands.Should().Be(1);
        client.HearReply(3, Command.RegionRead);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(6)]
    [InlineData(8)]
    public void Another_threads_request_is_never_in_the_middle_of_a_reply_that_waits(int before)
    {
        using PollerRig rig = new(new VfioUserServerOptions { DmaTimeout = TimeSpan.FromHours(1) });
        using RawClient client = rig.Attach();
        client.Say(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000));
        rig.Until(PollEvents.Commands);
        client.Hear().ShouldBeGranted();
        // where the socket is full depends on what is in it already
        for (int i = 0; i < before; i++)
        {
            SayWhatFits(client, Read(1));
            rig.UntilIdle();
        }
        int handled;
        do
        {
            // the replies to so many are sent together, and cut in the middle of one
            for (int i = 0; i < 64; i++)
                SayWhatFits(client, Read(1));
            handled = rig.UntilIdle();
        }
        while (handled == 64);
        Task<bool> reading = Wait.Start<bool>(() => rig.Device.Dma.TryRead(new Iova(0x1000), new byte[4]));

        RawReply message = client.Hear();
        for (; message.Header.IsReply; message = client.Hear())
        {
            message.Header.Command.Should().Be(Command.RegionRead);
            message.Payload.Should().HaveCount(RegionAccess.WireSize + (int)ProbeDevice.PlainSize);
        }

        message.Header.Command.Should().Be(Command.DmaRead);
        client.Answer(message, RawClient.Bytes(WireFormat.Read<DmaAccess>(message.Payload), 1, 2, 3, 4));
        reading.ShouldGive(true);
    }
}
