using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Tests.Transport;

public sealed class ChannelCallTests : IDisposable
{
    private readonly RawPeer _peer;
    private readonly MessageChannel _channel;

    public ChannelCallTests() => (_peer, _channel) = RawPeer.ConnectChannel();

    [Fact]
    public void A_command_is_sent_unchanged_and_its_caller_gets_the_reply()
    {
        using TestFile sent = new();
        using TestFile received = new();
        Background<byte[]> caller = Background.Run(() =>
        {
            using Reply reply = _channel.Call(Command.DeviceGetRegionInfo, [1, 2, 3], [4, 5], [sent.Handle]);
            reply.Errno.Should().Be(Errno.None);
            using var fd = reply.Fds!.Take(0);
            received.IsSameAs(fd).Should().BeTrue();
            return reply.Payload.ToArray();
        });

        byte[] command = _peer.ReadOnce(1000, out FdList? fds);
        MessageHeader header = WireFormat.Read<MessageHeader>(command);
        _peer.Write(Frame.Reply(header.MessageId, Command.DeviceGetRegionInfo, 6, 7), received.Handle);

        caller.Result.Should().Equal(6, 7);
        command.Should().Equal(Frame.Command(header.MessageId, Command.DeviceGetRegionInfo, 1, 2, 3, 4, 5));
        fds!.Count.Should().Be(1);
        fds.Dispose();
        sent.OpenCopies.Should().Be(0);
        received.OpenCopies.Should().Be(0);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(1_000_000)]
    [InlineData(32_000_000)] // far more than a stack has
    public void The_first_part_of_a_payload_may_have_any_size(int length)
    {
        byte[] head = Frame.Pattern(length, 1);
        Background<int> caller = Background.Run(() =>
        {
            using Reply reply = _channel.Call(Command.DeviceFeature, head, [42]);
            return reply.Payload.Length;
        });

        byte[] message = _peer.ReadBytes(MessageHeader.WireSize + length + 1);
        _peer.Write(Frame.Reply(WireFormat.Read<MessageHeader>(message).MessageId, Command.DeviceFeature, 1, 2, 3));

        caller.Result.Should().Be(3);
        WireFormat.Read<MessageHeader>(message).MessageSize.Should().Be((uint)message.Length);
        message.AsSpan(MessageHeader.WireSize, length).SequenceEqual(head).Should().BeTrue();
        message[^1].Should().Be(42);
    }

    [Fact]
    public void An_error_reply_has_the_peers_errno()
    {
        Background<Errno> caller = Background.Run(() => _channel.AskInVain());

        _peer.Write(Frame.Error(_peer.ReadHeader().MessageId, Command.DmaRead, Errno.ENODEV));

        caller.Result.Should().Be(Errno.ENODEV);
    }

    [Fact]
    public void An_error_without_a_number_is_an_error()
    {
        Background<Errno> caller = Background.Run(() => _channel.AskInVain());

        _peer.Write(Frame.Error(_peer.ReadHeader().MessageId, Command.DmaRead, Errno.None));

        caller.Result.Should().Be(Errno.EIO);
    }

    [Fact]
    public void A_reply_that_lost_its_descriptors_is_an_error()
    {
        using TestFile file = new();
        Background<Errno> caller = Background.Run(() => _channel.AskInVain(Command.DeviceGetRegionInfo));

        _peer.Write(
            Frame.Reply(_peer.ReadHeader().MessageId, Command.DeviceGetRegionInfo, new byte[32]),
            [.. Enumerable.Repeat<SafeHandle>(file.Handle, 17)]);

        caller.Result.Should().Be(Errno.EINVAL);
        file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void Descriptors_not_taken_from_a_reply_are_closed_with_it()
    {
        using TestFile file = new();
        Background<bool> caller = Background.Run(() =>
        {
            using (Reply reply = _channel.Call(Command.Version, default))
            {
                reply.Fds!.Count.Should().Be(2);
                file.OpenCopies.Should().Be(2);
            }
            file.OpenCopies.Should().Be(0);
        });

        _peer.Write(Frame.Reply(_peer.ReadHeader().MessageId, Command.Version), file.Handle, file.Handle);

        caller.Join();
    }

    [Fact]
    public void A_reply_that_is_disposed_twice_is_given_back_once()
    {
        _peer.AnswerLater(4);
        Reply first = _channel.Call(Command.DmaRead, BitConverter.GetBytes(10));
        first.Dispose();
        using Reply second = _channel.Call(Command.DmaRead, BitConverter.GetBytes(20));
        first.Dispose();
        using Reply third = _channel.Call(Command.DmaRead, BitConverter.GetBytes(30));
        using Reply fourth = _channel.Call(Command.DmaRead, BitConverter.GetBytes(40));

        WireFormat.Read<int>(second.Payload).Should().Be(21);
        WireFormat.Read<int>(third.Payload).Should().Be(31);
        WireFormat.Read<int>(fourth.Payload).Should().Be(41);
    }

    [Fact]
    public void A_command_that_cannot_be_sent_leaves_the_channel_usable()
    {
        using TestFile file = new();
        file.Dispose();

        for (int i = 0; i < 1000; i++) // more than there may be calls at a time
            _channel.Invoking(it => it.Call(Command.DmaMap, default, default, [file.Handle])).Should().Throw<ObjectDisposedException>();

        _peer.AnswerLater(1);
        _channel.Ask(5).Should().Be(6);
    }

    [Fact]
    public void A_command_whose_descriptors_cannot_be_sent_fails_and_leaves_the_channel_usable()
    {
        using TestFile file = new();
        SafeHandle[] tooMany = [.. Enumerable.Repeat<SafeHandle>(file.Handle, ProtocolLimits.MaxScmFds + 1)];

        using (Reply reply = _channel.Call(Command.DmaMap, default, default, tooMany))
            reply.Errno.Should().Be(Errno.EINVAL);

        _peer.AnswerLater(1);
        _channel.Ask(5).Should().Be(6);
    }

    [Fact]
    public void A_posted_command_wants_no_reply()
    {
        _channel.Post(Command.RegionWrite, [1, 2], [3]).Should().BeTrue();

        _peer.ReadMessage().Should().Equal(
            Frame.Message(new MessageHeader(0, Command.RegionWrite, 0, MessageFlags.NoReply, 0), 1, 2, 3));
    }

    [Fact]
    public void Calls_and_posts_fail_after_the_peer_disconnected()
    {
        _peer.Dispose();

        _channel.AskInVain().Should().Be(Errno.ENOTCONN);
        _channel.Post(Command.RegionWrite, default).Should().BeFalse();
    }

    [Fact]
    public void Calls_and_posts_fail_after_shutdown_and_dispose()
    {
        _channel.Shutdown();
        _channel.AskInVain().Should().Be(Errno.ENOTCONN);
        _channel.Post(Command.RegionWrite, default).Should().BeFalse();

        _channel.Dispose();
        _channel.AskInVain().Should().Be(Errno.ENOTCONN);
        _channel.Post(Command.RegionWrite, default).Should().BeFalse();
        _channel.ReceiveCommand(wait: true, out _).Should().Be(ReceiveStatus.Closed);
        _channel.Invoking(it => it.Shutdown()).Should().NotThrow();
        _channel.Invoking(it => it.Dispose()).Should().NotThrow();
    }

    public void Dispose()
    {
        _peer.Dispose();
        _channel.Dispose();
    }
}
