namespace VfioUser.Protocol.Tests.Transport;

/// <summary>Several calls of one thread under way.</summary>
public sealed class ChannelPipelineTests
{
    private static readonly MessageChannelOptions Two = new() { CallTimeout = Background.Timeout, MaxConcurrentCalls = 2 };

    [Fact]
    public void Replies_in_any_order_find_their_calls()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            ushort[] ids = [.. Enumerable.Range(0, 8).Select(i => Start(channel, i))];
            (ushort Id, int Number)[] asked = [.. ids.Select(_ => peer.ReadQuestion())];
            foreach ((ushort id, int number) in asked.Reverse())
                peer.Answer(id, number + 100);

            for (int i = 0; i < ids.Length; i++)
            {
                using Reply reply = channel.Finish(ids[i]);
                WireFormat.Read<int>(reply.Payload).Should().Be(i + 100);
            }
        }
    }

    [Fact]
    public void A_caller_with_calls_in_flight_starts_none_beyond_the_limit()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Two);
        using (channel)
        using (peer)
        {
            ushort first = Start(channel, 1);
            Start(channel, 2);

            channel.TryStart(Command.DmaRead, new byte[4], default, wait: false, out _, out Errno failure).Should().BeFalse();
            failure.Should().Be(Errno.EAGAIN);

            peer.Answer(first, 5);
            using (Reply reply = channel.Finish(first))
                WireFormat.Read<int>(reply.Payload).Should().Be(5);
            Start(channel, 3);
        }
    }

    [Fact]
    public void A_call_without_a_free_slot_waits_for_one()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Two);
        using (channel)
        using (peer)
        {
            ushort[] ids = [Start(channel, 1), Start(channel, 2)];
            peer.ReadQuestion();
            peer.ReadQuestion();
            Background<int> other = Background.Run(() => channel.Ask(3));

            channel.Abandon(ids[1]);
            (ushort id, int number) = peer.ReadQuestion();
            number.Should().Be(3);
            peer.Answer(id, 4);

            other.Result.Should().Be(4);
            channel.Abandon(ids[0]);
        }
    }

    [Fact]
    public void The_reply_to_one_that_was_given_up_is_dropped()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            ushort given = Start(channel, 1);
            channel.Abandon(given);
            ushort next = Start(channel, 2);
            next.Should().NotBe(given);

            peer.Answer(given, -1);
            peer.Answer(next, 3);

            using Reply reply = channel.Finish(next);
            WireFormat.Read<int>(reply.Payload).Should().Be(3);
        }
    }

    [Fact]
    public void All_pipelined_calls_fail_when_the_peer_disconnects()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        {
            ushort[] ids = [Start(channel, 1), Start(channel, 2), Start(channel, 3)];
            peer.Dispose();

            foreach (ushort id in ids)
            {
                using Reply reply = channel.Finish(id);
                reply.Errno.Should().Be(Errno.ENOTCONN);
            }
        }
    }

    [Fact]
    public void A_stray_reply_is_reported_with_the_call_that_has_its_id()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            List<(ushort, Command, Command?)> told = [];
            channel.UnmatchedReply = (header, awaited) => told.Add((header.MessageId, header.Command, awaited));
            ushort id = Start(channel, 1);

            peer.Write(Frame.Reply((ushort)(id + 1), Command.DmaRead, 1));
            peer.Write(Frame.Reply(id, Command.DmaWrite, 1));
            peer.Answer(id, 2);

            using Reply reply = channel.Finish(id);
            WireFormat.Read<int>(reply.Payload).Should().Be(2);
            told.Should().Equal(((ushort)(id + 1), Command.DmaRead, null), (id, Command.DmaWrite, Command.DmaRead));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(257)]
    public void A_number_that_cannot_be_under_way_is_refused(int calls) =>
        FluentActions.Invoking(() => new MessageChannelOptions { MaxConcurrentCalls = calls }).Should().Throw<ArgumentOutOfRangeException>();

    private static ushort Start(MessageChannel channel, int number)
    {
        channel.TryStart(Command.DmaRead, BitConverter.GetBytes(number), default, wait: true, out ushort id, out Errno failure)
            .Should().BeTrue("it must not fail with {0}", failure);
        return id;
    }
}
