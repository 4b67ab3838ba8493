namespace VfioUser.Protocol.Tests.Transport;

/// <summary>Who receives for whom: replies find their callers whoever has the role of receiving.</summary>
public sealed class ChannelConcurrencyTests : IDisposable
{
    private readonly RawPeer _peer;
    private readonly MessageChannel _channel;

    public ChannelConcurrencyTests() => (_peer, _channel) = RawPeer.ConnectChannel();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Many_threads_ask_and_each_gets_its_own_reply(bool pump)
    {
        const int Threads = 16;
        const int Each = 100;
        Background<bool>? pumping = pump ? Background.Run(_channel.PumpReplies) : null;
        Background<bool> answering = _peer.AnswerLater(Threads * Each);

        Background<bool>[] callers = [.. Enumerable.Range(0, Threads).Select(thread => Background.Run(() =>
        {
            for (int i = 0; i < Each; i++)
                _channel.Ask(1000 * thread + i).Should().Be(1000 * thread + i + 1);
        }))];

        foreach (Background<bool> caller in callers)
            caller.Join();
        answering.Join();
        _channel.Shutdown();
        pumping?.Join();
    }

    [Fact]
    public void Replies_may_come_in_any_order()
    {
        Background<int>[] callers = [.. Enumerable.Range(0, 8).Select(number => Background.Run(() => _channel.Ask(number)))];
        (ushort Id, int Number)[] questions = [.. callers.Select(_ => _peer.ReadQuestion())];

        foreach ((ushort id, int number) in questions.OrderBy(question => question.Number * 5 % 8))
            _peer.Answer(id, number + 1);

        callers.Select(caller => caller.Result).Should().Equal(1, 2, 3, 4, 5, 6, 7, 8);
    }

    [Fact]
    public void Calls_beyond_the_limit_wait_for_their_turn()
    {
        const int Callers = 300;
        Background<int>[] callers = [.. Enumerable.Range(0, Callers).Select(number => Background.Run(() => _channel.Ask(number)))];

        List<(ushort Id, int Number)> questions = [.. Enumerable.Range(0, 256).Select(_ => _peer.ReadQuestion())];
        questions.Select(question => question.Id).Should().OnlyHaveUniqueItems();
        foreach ((ushort id, int number) in questions)
            _peer.Answer(id, number + 1);
        _peer.AnswerQuestions(Callers - 256);

        callers.Select(caller => caller.Result).Should().Equal(Enumerable.Range(1, Callers));
    }

    [Fact]
    public void Numbers_of_messages_are_not_used_again_soon()
    {
        Background<HashSet<ushort>> answering = Background.Run(() =>
        {
            HashSet<ushort> ids = [];
            for (int i = 0; i < 1000; i++)
            {
                (ushort id, int number) = _peer.ReadQuestion();
                if (i % 256 == 0)
                    ids.Clear();
                ids.Add(id).Should().BeTrue();
                _peer.Answer(id, number);
            }
            return ids;
        });

        for (int i = 0; i < 1000; i++)
            _channel.Ask(i).Should().Be(i);

        answering.Join();
    }

    [Fact]
    public void Commands_between_replies_are_queued_in_order()
    {
        Background<int> caller = Background.Run(() => _channel.Ask(7));
        (ushort id, int number) = _peer.ReadQuestion();

        _peer.Write(Frame.RegionWrite(101, 5000));
        _peer.Write([.. Frame.RegionRead(102), .. Frame.Reply(id, Command.DmaRead, 8, 0, 0, 0), .. Frame.RegionRead(103)]);
        caller.Result.Should().Be(number + 1);
        _peer.Write(Frame.RegionRead(104));

        Incoming.Next(_channel).Bytes.Should().Equal(Frame.RegionWrite(101, 5000));
        Incoming.Next(_channel).Header.MessageId.Should().Be(102);
        Incoming.Next(_channel).Header.MessageId.Should().Be(103);
        Incoming.Next(_channel).Header.MessageId.Should().Be(104);
    }

    [Fact]
    public void A_handler_may_ask_the_peer_while_its_commands_keep_coming()
    {
        const int Rounds = 200;
        Background<List<ushort>> peer = Background.Run(() =>
        {
            List<ushort> order = [];
            for (ushort id = 1; id <= Rounds; id++)
            {
                // the command, and before each answer some more of them
                _peer.Write(Frame.RegionWrite(id, 64));
                (ushort question, int number) = _peer.ReadQuestion();
                _peer.Write(Frame.RegionRead((ushort)(1000 + id)));
                _peer.Write([.. Frame.Reply(question, Command.DmaRead, BitConverter.GetBytes(number + 1)), .. Frame.RegionRead((ushort)(2000 + id))]);
            }
            return order;
        });

        for (ushort id = 1; id <= Rounds; id++)
        {
            _channel.ReceiveCommand(wait: true, out ReceivedMessage command).Should().Be(ReceiveStatus.Received);
            _channel.Ask(id).Should().Be(id + 1);
            Incoming.Of(command).Bytes.Should().Equal(Frame.RegionWrite(id, 64), "what is being handled stays intact");
            Incoming.Next(_channel).Header.MessageId.Should().Be((ushort)(1000 + id));
            Incoming.Next(_channel).Header.MessageId.Should().Be((ushort)(2000 + id));
        }
        peer.Join();
    }

    [Fact]
    public void Another_thread_may_ask_while_the_handler_is_busy_with_other_things()
    {
        _peer.Write([.. Frame.RegionWrite(1, 3000), .. Frame.RegionRead(2)]);
        _channel.ReceiveCommand(wait: true, out ReceivedMessage inUse);

        // nobody receives but those who ask
        for (int i = 0; i < 100; i++)
        {
            Background<int> caller = Background.Run(() => _channel.Ask(i));
            (ushort id, int number) = _peer.ReadQuestion();
            _peer.Write(Frame.RegionWrite((ushort)(100 + i), 3000));
            _peer.Answer(id, number);
            caller.Result.Should().Be(i);
        }

        Incoming.Of(inUse).Bytes.Should().Equal(Frame.RegionWrite(1, 3000));
        Incoming.Next(_channel).Header.MessageId.Should().Be(2);
        for (int i = 0; i < 100; i++)
            Incoming.Next(_channel).Bytes.Should().Equal(Frame.RegionWrite((ushort)(100 + i), 3000));
    }

    [Fact]
    public void A_command_thread_that_waits_receives_for_those_who_ask()
    {
        Background<ushort> commands = Background.Run(() => Incoming.Next(_channel).Header.MessageId);

        _peer.AnswerLater(3);
        for (int i = 0; i < 3; i++)
            _channel.Ask(i).Should().Be(i + 1);
        _peer.Write(Frame.RegionRead(9));

        commands.Result.Should().Be(9);
    }

    [Fact]
    public void Shutdown_ends_a_pump_alone_on_its_channel()
    {
        Background<bool> pumping = Background.Run(_channel.PumpReplies);

        _channel.Shutdown();

        pumping.Join();
    }

    [Fact]
    public void A_command_thread_that_does_not_wait_returns_whoever_receives()
    {
        _channel.ReceiveCommand(wait: false, out _).Should().Be(ReceiveStatus.Empty);
        Background<int> caller = Background.Run(() => _channel.Ask(1));
        (ushort id, _) = _peer.ReadQuestion();

        for (int i = 0; i < 100; i++)
            _channel.ReceiveCommand(wait: false, out _).Should().Be(ReceiveStatus.Empty);

        _peer.Answer(id, 2);
        caller.Result.Should().Be(2);
    }

    public void Dispose()
    {
        _peer.Dispose();
        _channel.Dispose();
    }
}
