namespace VfioUser.Protocol.Tests.Transport;

public sealed class FramingTests : IDisposable
{
    private readonly RawPeer _peer;
    private readonly MessageSocket _socket;

    public FramingTests() => (_peer, _socket) = RawPeer.Connect();

    [Fact]
    public void A_message_arrives_when_header_and_body_come_in_one_write()
    {
        byte[] sent = Frame.RegionWrite(7, dataLength: 8);

        _peer.Write(sent);

        Incoming.Next(_socket).Bytes.Should().Equal(sent);
    }

    [Fact]
    public void A_message_arrives_when_header_and_body_come_in_two_writes()
    {
        byte[] sent = Frame.RegionWrite(7, dataLength: 8);

        _peer.Write(sent.AsSpan(0, MessageHeader.WireSize));
        _socket.Receive(wait: true).Should().Be(ReceiveStatus.Received);
        _socket.TryParse(out _).Should().BeFalse();
        _peer.Write(sent.AsSpan(MessageHeader.WireSize));

        Incoming.Next(_socket).Bytes.Should().Equal(sent);
    }

    [Fact]
    public void A_message_arrives_byte_by_byte_and_not_before_its_last()
    {
        byte[] sent = Frame.RegionWrite(7, dataLength: 8);

        foreach (byte one in sent)
        {
            _socket.TryParse(out _).Should().BeFalse();
            _peer.Write([one]);
            _socket.Receive(wait: true).Should().Be(ReceiveStatus.Received);
        }

        Incoming.Next(_socket).Bytes.Should().Equal(sent);
    }

    [Fact]
    public void Several_messages_in_one_write_are_one_receive()
    {
        byte[][] sent = [Frame.RegionRead(1), Frame.RegionWrite(2, 100), Frame.Command(3, Command.DeviceReset), Frame.RegionRead(4)];

        _peer.Write(sent.SelectMany(bytes => bytes).ToArray());
        _socket.Receive(wait: true);

        foreach (byte[] message in sent)
        {
            _socket.TryParse(out ReceivedMessage received).Should().BeTrue();
            Incoming.Of(received).Bytes.Should().Equal(message);
        }
        _socket.TryParse(out _).Should().BeFalse();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Two_messages_arrive_wherever_the_stream_is_cut(bool receiveBetween)
    {
        byte[] first = Frame.RegionWrite(1, dataLength: 12);
        byte[] second = Frame.DmaMap(2);
        byte[] stream = [.. first, .. second];

        for (int cut = 1; cut < stream.Length; cut++)
        {
            _peer.Write(stream.AsSpan(0, cut));
            if (receiveBetween)
                _socket.Receive(wait: true);
            _peer.Write(stream.AsSpan(cut));

            Incoming.Next(_socket).Bytes.Should().Equal(first, "the cut is at {0}", cut);
            Incoming.Next(_socket).Bytes.Should().Equal(second, "the cut is at {0}", cut);
        }
    }

    [Fact]
    public void A_header_alone_is_a_message()
    {
        _peer.Write(Frame.Command(9, Command.DeviceReset));

        Incoming message = Incoming.Next(_socket);

        message.Header.Should().Be(new MessageHeader(9, Command.DeviceReset, 16, MessageFlags.Command, 0));
        message.Payload.Should().BeEmpty();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(15)]
    [InlineData(ProtocolLimits.MaxMessageSize + 1)]
    [InlineData(0x80000000)]
    [InlineData(uint.MaxValue)]
    public void An_impossible_size_breaks_the_stream_and_is_reported_with_its_header(uint size)
    {
        _peer.Write([.. Frame.RegionRead(1), .. Frame.Header(size, id: 77)]);

        Incoming.Next(_socket).Header.MessageId.Should().Be(1);
        Func<bool> parse = () => _socket.TryParse(out _);

        parse.Should().Throw<ProtocolException>().WithMessage($"*77*{size}*").Which.Header!.Value.MessageId.Should().Be(77);
    }

    [Fact]
    public void The_largest_message_is_accepted()
    {
        byte[] sent = Frame.Command(1, Command.RegionWrite, new byte[ProtocolLimits.MaxMessageSize - MessageHeader.WireSize]);
        Background<bool> writer = Background.Run(() => _peer.Write(sent));

        Incoming received = Incoming.Next(_socket);

        received.Header.MessageSize.Should().Be(ProtocolLimits.MaxMessageSize);
        writer.Join();
    }

    [Fact]
    public void The_end_of_the_stream_is_no_error()
    {
        _peer.Dispose();

        _socket.Receive(wait: true).Should().Be(ReceiveStatus.Closed);
        _socket.TryParse(out _).Should().BeFalse();
    }

    [Fact]
    public void The_end_of_the_stream_within_a_message_drops_its_part()
    {
        _peer.Write([.. Frame.RegionRead(1), .. Frame.RegionRead(2).AsSpan(0, 20)]);
        _peer.Dispose();

        Incoming.Next(_socket).Header.MessageId.Should().Be(1);

        _socket.Receive(wait: true).Should().Be(ReceiveStatus.Closed);
        _socket.TryParse(out _).Should().BeFalse();
    }

    [Fact]
    public void A_receive_without_waiting_returns_empty()
    {
        _socket.Receive(wait: false).Should().Be(ReceiveStatus.Empty);
        _peer.Write(Frame.RegionRead(1));
        _socket.Receive(wait: false).Should().Be(ReceiveStatus.Received);
    }

    [Fact]
    public void A_receive_timeout_ends_a_wait_with_nothing()
    {
        _socket.SetReceiveTimeout(TimeSpan.FromMilliseconds(1));

        _socket.Receive(wait: true).Should().Be(ReceiveStatus.Empty);
    }

    [Fact]
    public void A_socket_in_non_blocking_mode_is_waited_for_all_the_same()
    {
        const int SetFlags = 4;
        const int NonBlock = 0x800;
        (RawPeer peer, MessageSocket other) = RawPeer.Connect();
        using (other)
        using (peer)
        {
            VfioUser.Protocol.Interop.Libc.Fcntl(other.Handle, SetFlags, NonBlock).Should().Be(0);
            using MessageSocket socket = new(VfioUser.Protocol.Interop.SocketCalls.Duplicate(other.Handle));
            Background<ReceiveStatus> receiver = Background.Run(() => socket.Receive(wait: true));

            peer.Write(Frame.RegionRead(1));

            receiver.Result.Should().Be(ReceiveStatus.Received);
        }
    }

    [Fact]
    public void A_spinning_socket_receives_early_and_late_messages()
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { Spin = TimeSpan.FromMilliseconds(1), IsSpinFixed = true });
        using (socket)
        using (peer)
        {
            peer.Write(Frame.RegionRead(1));
            Incoming.Next(socket).Header.MessageId.Should().Be(1);
            Background<ushort> late = Background.Run(() => Incoming.Next(socket).Header.MessageId);
            peer.Write(Frame.RegionRead(2));
            late.Result.Should().Be(2);
            peer.Dispose();
            socket.Receive(wait: true).Should().Be(ReceiveStatus.Closed);
        }
    }

    public void Dispose()
    {
        _peer.Dispose();
        _socket.Dispose();
    }
}
