namespace VfioUser.Protocol.Tests.Transport;

public sealed class ChannelQueueTests
{
    [Fact]
    public void A_reply_that_nobody_waits_for_is_handed_out_as_a_message()
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
    [InlineData(4096, 300, 128)]
    [InlineData(4096, 8 << 20, 6)]
    public void More_commands_than_may_wait_while_one_is_handled_break_the_stream_after_what_came_before(int commands, int bytes, int fds)
    {
        MessageChannelOptions options = new()
        {
            CallTimeout = Background.Patience,
            MaxQueuedCommands = commands,
            MaxQueuedBytes = bytes,
            MaxQueuedFds = fds,
        };
        using TestFile file = new();
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(options);
        using (channel)
        using (peer)
        {
            peer.Write(Frame.RegionRead(1));
            Incoming.Next(channel).Header.MessageId.Should().Be(1);
            Background<Errno> handler = Background.Run(() => channel.AskInVain());
            peer.ReadHeader();

            for (ushort id = 2; id <= 13; id++)
                peer.Write(Frame.DmaMap(id), file.Handle);

            handler.Result.Should().Be(Errno.ENOTCONN);
            ushort next = 2;
            Action receive = () =>
            {
                while (true)
                {
                    Incoming message = Incoming.Next(channel);
                    message.Header.MessageId.Should().Be(next++);
                    message.Fds!.Dispose();
                }
            };
            receive.Should().Throw<ProtocolException>().WithMessage("*more commands*");
            next.Should().BeGreaterThan(3);
            channel.Dispose();
            file.OpenCopies.Should().Be(0);
        }
    }

    [Fact]
    public void Commands_that_nobody_ever_takes_break_the_stream_too()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(new MessageChannelOptions { CallTimeout = Background.Patience, MaxQueuedCommands = 100 });
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
    public void As_many_commands_as_one_receive_brings_are_handled_however_many_may_wait()
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
    public void A_broken_header_is_reported_after_what_came_before_and_names_itself()
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
    public void The_end_of_the_stream_is_reported_after_what_came_before()
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
    public void A_tick_comes_when_no_command_does()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            channel.Socket.SetReceiveTimeout(TimeSpan.FromMilliseconds(1));

            channel.ReceiveCommandOrTick(out _).Should().Be(ReceiveStatus.Empty);
            peer.Write(Frame.RegionRead(1));
            channel.ReceiveCommandOrTick(out ReceivedMessage message).Should().Be(ReceiveStatus.Received);
            message.Header.MessageId.Should().Be(1);
        }
    }
}
