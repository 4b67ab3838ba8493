using System.Runtime.InteropServices;
using VfioUser.Protocol.Interop;

namespace VfioUser.Protocol.Tests.Transport;

/// <summary>
/// QEMU and libvfio-user read a header with one receive and take fewer than 16 bytes for the end of the stream, so
/// however much is sent and however little the socket takes, each header arrives at once.
/// </summary>
public sealed class HeaderInOnePieceTests
{
    // odd lengths, so that the kernel's cuts lie anywhere; some messages longer than what one buffer of it holds
    private static readonly int[] Lengths = [7, 0, 3, 4096, 5, 1, 20_011, 11, 40_000, 2, 36_528, 36_529, 13, 300_001, 9];

    public static TheoryData<int?> BufferSizes => [null, 1, 5_000, 40_000, 100_000, 4 << 20];

    [Theory]
    [MemberData(nameof(BufferSizes))]
    public void Many_messages_of_one_send_arrive_with_whole_headers(int? bufferSize)
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = bufferSize });
        using (socket)
        using (peer)
        {
            byte[][] messages = [.. Messages(7, 5000), .. Mixed(2)];
            Background<bool> sender = Background.Run(() => socket.Send(messages.SelectMany(message => message).ToArray()));

            ShouldArrive(peer, messages);

            sender.Result.Should().BeTrue();
        }
    }

    [Theory]
    [MemberData(nameof(BufferSizes))]
    public void Commands_with_a_body_that_is_not_copied_arrive_with_whole_headers(int? bufferSize)
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = bufferSize });
        using (socket)
        using (peer)
        {
            byte[][] messages = [.. Mixed(3)];
            Background<bool> sender = Background.Run(() => messages.All(message =>
            {
                int head = Math.Min(message.Length, 32);
                return socket.Send(message.AsSpan(0, head), message.AsSpan(head));
            }));

            ShouldArrive(peer, messages);

            sender.Result.Should().BeTrue();
        }
    }

    [Theory]
    [MemberData(nameof(BufferSizes))]
    public void Messages_before_one_with_a_body_that_is_not_copied_arrive_with_whole_headers(int? bufferSize)
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = bufferSize });
        using (socket)
        using (peer)
        {
            byte[][] messages = [.. Messages(7, 3000), Frame.RegionWrite(1, 100_000)];
            byte[] all = [.. messages.SelectMany(message => message)];
            int head = all.Length - 100_000;
            Background<bool> sender = Background.Run(() => socket.Send(all.AsSpan(0, head), all.AsSpan(head)));

            ShouldArrive(peer, messages);

            sender.Result.Should().BeTrue();
        }
    }

    [Theory]
    [MemberData(nameof(BufferSizes))]
    public void Replies_of_a_batch_arrive_with_whole_headers(int? bufferSize)
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = bufferSize });
        using (socket)
        using (peer)
        {
            ReplyWriter replies = new(socket);
            byte[][] messages = [.. Messages(7, 5000), .. Mixed(2)];
            Background<bool> sender = Background.Run(() => messages.All(message => Build(replies, message)) && replies.Flush());

            ShouldArrive(peer, messages);

            sender.Result.Should().BeTrue();
        }
    }

    [Theory]
    [MemberData(nameof(BufferSizes))]
    public void Replies_that_wait_for_the_peer_arrive_with_whole_headers(int? bufferSize)
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = bufferSize });
        using (socket)
        using (peer)
        {
            ReplyWriter replies = new(socket, buffersOutput: true);
            byte[][] messages = [.. Messages(7, 20_000), .. Mixed(20)];
            messages.All(message => Build(replies, message)).Should().BeTrue();
            replies.Flush().Should().BeTrue();
            socket.HasOutput.Should().BeTrue("more was built than any buffer takes");

            // all that is there is read before more is sent, so a header that was cut would be seen cut
            foreach (byte[] message in messages)
            {
                while (!PollCalls.WaitReadable(peer.Handle, 0))
                    socket.TrySendOutput().Should().BeTrue();
                ReadHeader(peer).AsSpan().SequenceEqual(message.AsSpan(0, MessageHeader.WireSize)).Should().BeTrue();
                ReadBody(peer, message.Length - MessageHeader.WireSize, () => socket.TrySendOutput().Should().BeTrue())
                    .AsSpan().SequenceEqual(message.AsSpan(MessageHeader.WireSize)).Should().BeTrue();
            }
            socket.HasOutput.Should().BeFalse();
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    public void A_reply_with_descriptors_that_waits_arrives_alone(int? bufferSize)
    {
        using TestFile file = new();
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { SocketBufferSize = bufferSize });
        using (socket)
        using (peer)
        {
            ReplyWriter replies = new(socket, buffersOutput: true);
            byte[][] before = [.. Messages(7, 30_000)];
            before.All(message => Build(replies, message)).Should().BeTrue();
            byte[] carrier = Frame.Reply(1, Command.RegionRead, 1, 2, 3);
            Build(replies, carrier, file.Handle).Should().BeTrue();
            byte[] after = Frame.Reply(2, Command.RegionRead, 4);
            Build(replies, after).Should().BeTrue();
            replies.Flush().Should().BeTrue();
            Background<bool> sender = Background.Run(() => socket.FlushOutput(Deadline.After(Background.Timeout)) == Errno.None);

            ShouldArrive(peer, before);
            sender.Result.Should().BeTrue();
            peer.ReadOnce(1000, out FdList? fds).Should().Equal(carrier);
            fds!.Dispose();
            peer.ReadOnce(1000).Should().Equal(after);
        }
    }

    [Fact]
    public void A_batch_that_fits_leaves_in_one_send()
    {
        SendPiece.Next(new byte[SendPiece.Whole], SendPiece.Whole).Should().Be(SendPiece.Whole);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(15u)]
    [InlineData(uint.MaxValue)]
    public void An_impossible_size_ends_the_split_at_headers(uint size)
    {
        byte[] bytes = new byte[100_000];
        WireFormat.Write(bytes, new MessageHeader(1, Command.RegionRead, size, MessageFlags.Reply, 0));

        SendPiece.Next(bytes, SendPiece.Whole).Should().Be(bytes.Length);
    }

    private static IEnumerable<byte[]> Messages(int payload, int count) =>
        Enumerable.Range(0, count).Select(i => Frame.Reply((ushort)i, Command.RegionRead, Frame.Pattern(payload, (byte)i)));

    private static IEnumerable<byte[]> Mixed(int rounds) => Enumerable.Range(0, rounds).SelectMany(round =>
        Lengths.Select((length, i) => Frame.Reply((ushort)((round * 100) + i), Command.RegionRead, Frame.Pattern(length, (byte)i))));

    private static void ShouldArrive(RawPeer peer, IEnumerable<byte[]> messages)
    {
        foreach (byte[] message in messages)
        {
            ReadHeader(peer).AsSpan().SequenceEqual(message.AsSpan(0, MessageHeader.WireSize)).Should().BeTrue();
            peer.ReadBytes(message.Length - MessageHeader.WireSize).AsSpan()
                .SequenceEqual(message.AsSpan(MessageHeader.WireSize)).Should().BeTrue();
        }
    }

    // as hw/vfio-user/proxy.c does
    private static byte[] ReadHeader(RawPeer peer)
    {
        byte[] header = peer.ReadOnce(MessageHeader.WireSize);
        if (header.Length != MessageHeader.WireSize)
            header.Should().HaveCount(MessageHeader.WireSize, "fewer are taken for the end of the stream");
        return header;
    }

    private static byte[] ReadBody(RawPeer peer, int length, Action sendMore)
    {
        byte[] body = new byte[length];
        for (int done = 0; done < length;)
        {
            while (!PollCalls.WaitReadable(peer.Handle, 0))
                sendMore();
            byte[] piece = peer.ReadOnce(length - done);
            piece.CopyTo(body, done);
            done += piece.Length;
        }
        return body;
    }

    private static bool Build(ReplyWriter replies, ReadOnlySpan<byte> message, params SafeHandle[] fds)
    {
        MessageHeader header = WireFormat.Read<MessageHeader>(message);
        ReadOnlySpan<byte> payload = message[MessageHeader.WireSize..];
        payload.CopyTo(replies.Begin(header with { Flags = MessageFlags.Command }, payload.Length));
        return replies.End(payload.Length, fds);
    }
}
