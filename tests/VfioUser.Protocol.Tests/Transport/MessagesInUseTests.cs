namespace VfioUser.Protocol.Tests.Transport;

/// <summary>A payload lies in the receive buffer; what is received meanwhile must not touch it.</summary>
public sealed class MessagesInUseTests : IDisposable
{
    private readonly RawPeer _peer;
    private readonly MessageSocket _socket;

    public MessagesInUseTests() => (_peer, _socket) = RawPeer.Connect();

    [Theory]
    [InlineData(100)]
    [InlineData(20_000)]
    [InlineData(100_000)]
    public void Kept_messages_stay_intact_while_more_is_received(int size)
    {
        List<ReceivedMessage> inUse = [];
        Background<bool> writer = Background.Run(() =>
        {
            for (ushort id = 1; id <= 30; id++)
                _peer.Write(Frame.RegionWrite(id, size));
        });

        while (inUse.Count < 30)
        {
            _socket.Receive(wait: true, mayReuse: false).Should().Be(ReceiveStatus.Received);
            while (_socket.TryParse(out ReceivedMessage message))
            {
                inUse.Add(message);
                _socket.KeepParsed();
            }
        }
        writer.Join();

        inUse.Should().OnlyContain(message => Incoming.Of(message).Bytes.SequenceEqual(Frame.RegionWrite(message.Header.MessageId, size)));
    }

    [Fact]
    public void Kept_messages_that_are_over_make_room_again()
    {
        for (ushort id = 1; id <= 2000; id++)
        {
            byte[] sent = Frame.RegionWrite(id, 5000);
            _peer.Write(sent);
            _socket.Receive(wait: true, mayReuse: id % 3 == 0);
            ReceivedMessage message;
            while (!_socket.TryParse(out message)) // it is larger than the buffer is at first
                _socket.Receive(wait: true, mayReuse: false);
            _socket.KeepParsed();
            Incoming.Of(message).Bytes.AsSpan().SequenceEqual(sent).Should().BeTrue();
        }
    }

    [Fact]
    public void Unparsed_messages_are_kept_when_more_is_received()
    {
        byte[] small = Frame.RegionRead(1);
        const int Count = 6000; // more than the buffer has at first
        _peer.LimitBuffers(4 << 20);
        _peer.Write(Enumerable.Repeat(small, Count).SelectMany(bytes => bytes).ToArray());

        ReceiveStatus status;
        do
            status = _socket.Receive(wait: false);
        while (status == ReceiveStatus.Received);

        status.Should().Be(ReceiveStatus.Empty);
        for (int i = 0; i < Count; i++)
            Incoming.Next(_socket).Bytes.Should().Equal(small);
    }

    public void Dispose()
    {
        _peer.Dispose();
        _socket.Dispose();
    }
}
