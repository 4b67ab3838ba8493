namespace VfioUser.Protocol.Tests.Transport;

public sealed class ChannelQueueTests
{
    [Fact]
    public void A_reply_that_no_call_awaits_is_returned_as_a_message()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            peer.Write(Frame.Reply(77, Command.DmaRead, 1, 2));

            Incoming message = Incoming.Next(channel);

            message.Header.IsReply.Should().BeTrue();
            message.Payload.Should().Equal(1, 2);
        }
    }

    [Fact]
    public void A_reply_to_another_command_than_was_sent_completes_nothing()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            Background<int> caller = Background.Run(() => channel.Ask(1));
            (ushort id, int number) = peer.ReadQuestion();

            peer.Answer(id, 99, Command.DmaWrite);
            peer.Answer(id, number + 1);

            caller.Result.Should().Be(2);
            Incoming.Next(channel).Header.Command.Should().Be(Command.DmaWrite);
        }
    }

    [Fact]
    public void A_second_reply_to_one_command_completes_nothing()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            Background<int> caller = Background.Run(() => channel.Ask(1));
            (ushort id, int number) = peer.ReadQuestion();
            byte[] reply = Frame.Reply(id, Command.DmaRead, BitConverter.GetBytes(number + 1));

            peer.Write([.. reply, .. reply]);

            caller.Result.Should().Be(2);
            Incoming.Next(channel).Header.MessageId.Should().Be(id);
        }
    }

    [Theory]
    [InlineData(11, 8 << 20, 128)]
    [InlineData(4096, 700, 128)]
    [InlineData(4096, 8 << 20, 6)]
    public void A_handler_that_asks_behind_more_commands_than_may_wait_fails_and_no_command_is_lost(int commands, int bytes, int fds)
    {
        using TestFile file = new();
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Limited(commands, bytes, fds));
        using (channel)
        using (peer)
        {
            peer.Write(Frame.RegionRead(1));
            Incoming.Next(channel).Header.MessageId.Should().Be(1);
            for (ushort id = 2; id <= 30; id++)
                peer.Write(Frame.DmaMap(id), file.Handle);

            channel.AskInVain().Should().Be(Errno.ENOMEM);

            ushort late = peer.ReadHeader().MessageId;
            channel.AskInVain().Should().Be(Errno.ENOMEM, "and sends nothing");
            peer.Answer(late, 1);
            for (ushort id = 2; id <= 30; id++)
                Next(channel, id);
            peer.AnswerLater(1);
            channel.Ask(5).Should().Be(6);
            file.OpenCopies.Should().Be(0);
        }
    }

    [Fact]
    public void A_thread_that_asks_behind_more_commands_than_may_wait_waits_until_they_are_taken()
    {
        using TestFile file = new();
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Limited(4096, 8 << 20, 6));
        using (channel)
        using (peer)
        {
            peer.Write(Frame.RegionRead(1));
            Incoming.Next(channel).Header.MessageId.Should().Be(1);
            Background<int> caller = Background.Run(() => channel.Ask(1));
            (ushort question, int number) = peer.ReadQuestion();

            for (ushort id = 2; id <= 30; id++)
                peer.Write(Frame.DmaMap(id), file.Handle);
            peer.Answer(question, number + 1);

            for (ushort id = 2; id <= 30; id++)
                Next(channel, id);
            caller.Result.Should().Be(2);
            channel.Dispose();
            file.OpenCopies.Should().Be(0);
        }
    }

    [Fact]
    public void Nothing_is_received_while_more_commands_wait_than_may()
    {
        const int Room = 100;
        const int Sent = 10_000; // far more than the buffers hold
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Limited(Room, int.MaxValue, 128));
        using (channel)
        using (peer)
        {
            peer.Write(Frame.RegionRead(1));
            Incoming.Next(channel);
            int sent = 0;
            Background<bool> flood = Background.Run(() =>
            {
                for (; sent < Sent; Interlocked.Increment(ref sent))
                    peer.Write(Frame.RegionWrite(2, 4 << 10));
            });
            while (channel.AskInVain() != Errno.ENOMEM)
                Volatile.Read(ref sent).Should().BeLessThan(Sent);

            for (int i = 0; i < 100; i++)
                channel.AskInVain().Should().Be(Errno.ENOMEM, "nobody receives any more");

            Volatile.Read(ref sent).Should().BeLessThan(Sent);
            for (int i = 0; i < Sent; i++)
                Incoming.Next(channel).Header.MessageId.Should().Be(2);
            flood.Join();
        }
    }

    [Fact]
    public void Too_many_commands_that_are_never_taken_break_the_stream()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(new MessageChannelOptions { CallTimeout = Background.Timeout, MaxQueuedCommands = 100 });
        using (channel)
        using (peer)
        {
            // no command thread at all: a channel for calls alone
            Background<Errno> caller = Background.Run(() => channel.AskInVain());
            Background<bool> flood = peer.Flood(Frame.RegionRead(1));

            caller.Result.Should().Be(Errno.ENOTCONN);
            channel.Shutdown();
            flood.Join();
        }
    }

    [Fact]
    public void All_commands_of_one_receive_are_handled_beyond_the_queue_limit()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(new MessageChannelOptions { MaxQueuedCommands = 1 });
        using (channel)
        using (peer)
        {
            peer.Write(Enumerable.Range(1, 1000).SelectMany(id => Frame.RegionRead((ushort)id)).ToArray());

            for (ushort id = 1; id <= 1000; id++)
                Incoming.Next(channel).Header.MessageId.Should().Be(id);
        }
    }

    [Fact]
    public void A_broken_header_is_reported_with_its_fields_after_the_messages_before_it()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            peer.Write([.. Frame.RegionRead(1), .. Frame.RegionRead(2), .. Frame.Header(3, id: 66)]);

            Incoming.Next(channel).Header.MessageId.Should().Be(1);
            Incoming.Next(channel).Header.MessageId.Should().Be(2);
            for (int i = 0; i < 2; i++)
            {
                channel.Invoking(it => it.ReceiveCommand(wait: true, out _)).Should().Throw<ProtocolException>()
                    .Which.Header!.Value.MessageId.Should().Be(66);
            }
            channel.AskInVain().Should().Be(Errno.ENOTCONN);
        }
    }

    [Fact]
    public void The_end_of_the_stream_is_reported_after_the_messages_before_it()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        {
            peer.Write([.. Frame.RegionRead(1), .. Frame.RegionRead(2)]);
            peer.Dispose();

            Incoming.Next(channel).Header.MessageId.Should().Be(1);
            Incoming.Next(channel).Header.MessageId.Should().Be(2);
            channel.ReceiveCommand(wait: true, out _).Should().Be(ReceiveStatus.Closed);
            channel.ReceiveCommand(wait: false, out _).Should().Be(ReceiveStatus.Closed);
        }
    }

    [Fact]
    public void A_tick_is_returned_when_no_command_arrives()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            channel.Socket.SetReceiveTimeout(TimeSpan.FromMilliseconds(1));

            channel.ReceiveCommandOrTimeout(out _).Should().Be(ReceiveStatus.Empty);
            peer.Write(Frame.RegionRead(1));
            channel.ReceiveCommandOrTimeout(out ReceivedMessage message).Should().Be(ReceiveStatus.Received);
            message.Header.MessageId.Should().Be(1);
        }
    }

    private static MessageChannelOptions Limited(int commands, int bytes, int fds) => new()
    {
        CallTimeout = Background.Timeout,
        MaxQueuedCommands = commands,
        MaxQueuedBytes = bytes,
        MaxQueuedFds = fds,
    };

    private static void Next(MessageChannel channel, ushort id)
    {
        Incoming message = Incoming.Next(channel);
        message.Header.MessageId.Should().Be(id);
        message.Fds!.Count.Should().Be(1);
        message.Fds.Dispose();
    }
}
