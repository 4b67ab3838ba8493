using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol.Tests.Transport;

public sealed class LargeMessageTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    [InlineData(100_000)]
    [InlineData(4 << 20)]
    public void A_mebibyte_arrives_in_pieces_of_any_size(int? bufferSize)
    {
        byte[][] sent = [Frame.RegionWrite(1, 1 << 20), Frame.RegionRead(2), Frame.RegionWrite(3, 1 << 20)];
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = bufferSize });
        using (socket)
        using (peer)
        {
            if (bufferSize is int size)
                peer.LimitBuffers(size);
            Background<bool> writer = Background.Run(() => peer.Write(sent.SelectMany(bytes => bytes).ToArray()));

            foreach (byte[] message in sent)
                Incoming.Next(socket).Bytes.AsSpan().SequenceEqual(message).Should().BeTrue();

            writer.Join();
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    [InlineData(4 << 20)]
    public void A_mebibyte_leaves_whole_whatever_the_buffers_take_at_once(int? bufferSize)
    {
        byte[] first = Frame.RegionWrite(1, 1 << 20);
        byte[] second = Frame.RegionWrite(2, 1 << 20);
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = bufferSize });
        using (socket)
        using (peer)
        {
            // the body goes without a copy, and the cut is in the middle of the first structure
            Background<bool> sender = Background.Run(() => socket.Send(first.AsSpan(0, 21), first.AsSpan(21)) && socket.Send(second));

            peer.ReadMessage().AsSpan().SequenceEqual(first).Should().BeTrue();
            peer.ReadMessage().AsSpan().SequenceEqual(second).Should().BeTrue();

            sender.Result.Should().BeTrue();
        }
    }

    [Fact]
    public void Messages_of_several_threads_are_not_torn()
    {
        const int Threads = 4;
        const int Each = 20;
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = 1 });
        using (socket)
        using (peer)
        {
            Background<bool>[] senders = [.. Enumerable.Range(1, Threads).Select(id => Background.Run(() =>
            {
                for (int i = 0; i < Each; i++)
                    socket.Send(Frame.RegionWrite((ushort)id, 20_000 + id)).Should().BeTrue();
            }))];

            for (int i = 0; i < Threads * Each; i++)
            {
                byte[] message = peer.ReadMessage()!;
                ushort id = WireFormat.Read<MessageHeader>(message).MessageId;
                message.AsSpan().SequenceEqual(Frame.RegionWrite(id, 20_000 + id)).Should().BeTrue();
            }

            foreach (Background<bool> sender in senders)
                sender.Join();
        }
    }

    [Fact]
    public void A_send_that_waits_for_room_returns_when_the_peer_disconnects()
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = 1 });
        using (socket)
        {
            Background<bool> sender = Background.Run(() => socket.Send(Frame.RegionWrite(1, 1 << 20)));
            peer.ReadOnce(1).Should().HaveCount(1);

            peer.Dispose();

            sender.Result.Should().BeFalse();
        }
    }

    [Fact]
    public void A_send_that_waits_for_room_returns_on_shutdown()
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = 1 });
        using (socket)
        using (peer)
        {
            Background<bool> sender = Background.Run(() => socket.Send(Frame.RegionWrite(1, 1 << 20)));
            peer.ReadOnce(1).Should().HaveCount(1);

            socket.Shutdown();

            sender.Result.Should().BeFalse();
            socket.Send(Frame.RegionRead(2)).Should().BeFalse();
        }
    }

    [Fact]
    public void Dispose_waits_for_a_send_in_progress_and_not_for_the_peer()
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = 1 });
        using (peer)
        {
            Background<bool> sender = Background.Run(() => socket.Send(Frame.RegionWrite(1, 1 << 20)));
            peer.ReadOnce(1).Should().HaveCount(1);

            Background.Run(socket.Dispose).Join();

            sender.Result.Should().BeFalse();
            socket.Handle.IsClosed.Should().BeTrue();
            socket.Receive(wait: true).Should().Be(ReceiveStatus.Closed);
            socket.Invoking(it => it.Shutdown()).Should().NotThrow();
            socket.Invoking(it => it.Dispose()).Should().NotThrow();
        }
    }

    [Fact]
    public void A_send_on_a_socket_in_non_blocking_mode_waits_for_room()
    {
        byte[] sent = Frame.RegionWrite(1, 1 << 20);
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = 1 });
        using (socket)
        using (peer)
        {
            const int SetFlags = 4;
            Libc.Fcntl(socket.Handle, SetFlags, Libc.ONonBlock).Should().Be(0);
            Background<bool> sender = Background.Run(() => socket.Send(sent));

            peer.ReadMessage().AsSpan().SequenceEqual(sent).Should().BeTrue();

            sender.Result.Should().BeTrue();
        }
    }
}
