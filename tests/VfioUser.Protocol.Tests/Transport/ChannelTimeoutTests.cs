namespace VfioUser.Protocol.Tests.Transport;

public sealed class ChannelTimeoutTests
{
    private static readonly MessageChannelOptions Impatient = new() { CallTimeout = TimeSpan.FromMilliseconds(20) };

    [Fact]
    public void A_call_that_is_not_answered_times_out()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Impatient);
        using (channel)
        using (peer)
            channel.AskInVain().Should().Be(Errno.ETIMEDOUT);
    }

    [Fact]
    public void A_late_reply_is_dropped_and_its_descriptors_closed()
    {
        using TestFile file = new();
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Impatient);
        using (channel)
        using (peer)
        {
            channel.AskInVain(Command.Version).Should().Be(Errno.ETIMEDOUT);
            ushort late = peer.ReadHeader().MessageId;

            peer.Write(Frame.Reply(late, Command.Version, 1, 2, 3), file.Handle);
            peer.Write(Frame.RegionRead(5));

            Incoming.Next(channel).Header.Should().Be(WireFormat.Read<MessageHeader>(Frame.RegionRead(5)));
            file.OpenCopies.Should().Be(0);
        }
    }

    [Fact]
    public void Late_replies_to_several_calls_are_dropped_and_answer_no_other_call()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Impatient);
        using (channel)
        using (peer)
        {
            ushort[] late = new ushort[5];
            for (int i = 0; i < late.Length; i++)
            {
                channel.AskInVain().Should().Be(Errno.ETIMEDOUT);
                late[i] = peer.ReadHeader().MessageId;
            }

            foreach (ushort id in late)
                peer.Answer(id, -1);
            peer.Write(Frame.RegionRead(5));

            Incoming.Next(channel).Header.IsReply.Should().BeFalse("a reply to a call that was given up is no surprise");
            late.Should().OnlyHaveUniqueItems();
        }
    }

    [Fact]
    public void A_very_late_reply_answers_no_other_call()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(new MessageChannelOptions { CallTimeout = TimeSpan.FromMilliseconds(1) });
        using (channel)
        using (peer)
        {
            // more than one slot has numbers
            const int Calls = 600;
            HashSet<ushort> numbers = [];

            for (int i = 0; i < Calls; i++)
            {
                channel.AskInVain().Should().Be(Errno.ETIMEDOUT);
                numbers.Add(peer.ReadHeader().MessageId);
            }

            numbers.Should().HaveCount(Calls);
        }
    }

    [Fact]
    public void The_next_call_does_not_take_a_late_reply_for_its_own()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(new MessageChannelOptions { CallTimeout = TimeSpan.FromMilliseconds(200) });
        using (channel)
        using (peer)
        {
            channel.AskInVain().Should().Be(Errno.ETIMEDOUT);
            (ushort late, _) = peer.ReadQuestion();
            for (int attempt = 0; ; attempt++)
            {
                Background<int> caller = Background.Run(() =>
                {
                    using Reply reply = channel.Call(Command.DmaRead, BitConverter.GetBytes(7));
                    return reply.Errno == Errno.None ? WireFormat.Read<int>(reply.Payload) : 0;
                });
                (ushort id, int number) = peer.ReadQuestion();
                if (attempt == 0)
                    peer.Answer(late, -1);
                peer.Answer(id, number + 1);
                if (caller.Result is int answer and not 0)
                {
                    answer.Should().Be(8);
                    return;
                }
                attempt.Should().BeLessThan(20, "the machine cannot be that slow");
            }
        }
    }

    [Fact]
    public void A_drip_of_commands_does_not_prolong_a_call()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Impatient with { MaxQueuedCommands = int.MaxValue });
        using (channel)
        using (peer)
        {
            Background<Errno> caller = Background.Run(() => channel.AskInVain());
            Background<bool> drip = peer.Flood(Frame.RegionRead(1));

            caller.Result.Should().Be(Errno.ETIMEDOUT);
            channel.Shutdown();
            drip.Join();
        }
    }

    [Theory]
    [InlineData(0x100)] // on the socket's buffer
    [InlineData(4 << 20)] // while the peer reads nothing
    public void A_call_times_out_in_sending_too(int length)
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Impatient);
        using (channel)
        using (peer)
        {
            Background<Errno> caller = Background.Run(() =>
            {
                using Reply reply = channel.Call(Command.DmaWrite, new byte[16], new byte[length]);
                return reply.Errno;
            });

            caller.Result.Should().BeOneOf(Errno.ETIMEDOUT, Errno.ENOTCONN);
        }
    }

    [Fact]
    public void A_call_that_waits_for_another_thread_to_finish_sending_times_out_before_it_began()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(Impatient);
        using (channel)
        using (peer)
        {
            byte[] reply = Frame.RegionWrite(1, 4 << 20);
            Background<bool> blocked = Background.Run(() => channel.Socket.Send(reply));
            byte[] begin = peer.ReadBytes(1);

            channel.AskInVain().Should().Be(Errno.ETIMEDOUT);
            byte[] rest = peer.ReadBytes(reply.Length - 1);

            blocked.Result.Should().BeTrue("a call that gives up does not tear what another thread sends");
            begin.Concat(rest).SequenceEqual(reply).Should().BeTrue();
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(long.MaxValue)]
    public void A_timeout_may_be_for_ever(long ticks)
    {
        TimeSpan timeout = ticks == -1 ? Timeout.InfiniteTimeSpan : TimeSpan.FromTicks(ticks);
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel(new MessageChannelOptions { CallTimeout = timeout });
        using (channel)
        using (peer)
        {
            Background<int>[] callers = [Background.Run(() => channel.Ask(1)), Background.Run(() => channel.Ask(2))];
            peer.AnswerQuestions(2);

            callers.Select(caller => caller.Result).Should().BeEquivalentTo([2, 3]);
        }
    }
}
