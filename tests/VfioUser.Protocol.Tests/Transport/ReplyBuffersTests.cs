namespace VfioUser.Protocol.Tests.Transport;

/// <summary>What a channel keeps of the memory that replies needed.</summary>
public class ReplyBuffersTests
{
    private const int Large = 1 << 20;
    private readonly ReplyBuffers _buffers = new();

    [Fact]
    public void One_buffer_is_kept_after_many_large_replies()
    {
        PendingCall[] calls = [.. Enumerable.Range(0, 256).Select(slot => new PendingCall(slot, _buffers))];
        Array.ForEach(calls, call => Answer(call, Large));
        byte[][] before = [.. Enumerable.Range(0, 2).Select(_ => _buffers.Grow([], Large))];

        Array.ForEach(calls, call => call.End());

        calls.Should().OnlyContain(call => call.Capacity == 0);
        byte[] spare = _buffers.Grow([], Large);
        spare.Length.Should().Be(Large);
        before.Should().NotContain(buffer => ReferenceEquals(buffer, spare));
        _buffers.Keep(spare);
        _buffers.Grow([], Large).Should().BeSameAs(spare);
        _buffers.Grow([], Large).Should().NotBeSameAs(spare, "that was the only one");
    }

    [Fact]
    public void A_bitmap_of_dirty_pages_leaves_nothing_behind()
    {
        byte[] bitmap = _buffers.Grow([], 4 << 20);

        _buffers.Keep(bitmap).Should().BeEmpty();

        _buffers.Grow([], Large).Should().NotBeSameAs(bitmap);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(64 << 10)]
    public void A_call_of_usual_size_keeps_its_buffer(int size)
    {
        PendingCall call = new(0, _buffers);
        Answer(call, size);

        call.End();

        call.Capacity.Should().BeGreaterThanOrEqualTo(size);
    }

    [Fact]
    public void The_larger_one_is_kept()
    {
        _buffers.Keep(new byte[Large]);
        _buffers.Keep(new byte[Large / 2]);

        _buffers.Grow([], Large - 1).Length.Should().Be(Large);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(64 << 10)]
    [InlineData(Large)]
    public void Calls_one_after_another_allocate_no_buffers(int size)
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            const int Calls = 50;
            byte[] payload = new byte[size];
            Background<bool> answering = Background.Run(() =>
            {
                for (int i = 0; i < Calls; i++)
                    peer.Write(Frame.Reply(peer.ReadQuestion().Id, Command.DmaRead, payload));
            });
            int wrong = Ask();
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 1; i < Calls; i++)
                wrong += Ask();
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

            answering.Join();
            wrong.Should().Be(0);
            // the receive buffer may grow and shrink meanwhile, but not with every call
            allocated.Should().BeLessThan(Math.Max(16 << 10, 4 * size));

            int Ask()
            {
                using Reply reply = channel.Call(Command.DmaRead, "1234"u8);
                return reply.Payload.Length == size ? 0 : 1;
            }
        }
    }

    private static void Answer(PendingCall call, int size)
    {
        byte[] bytes = Frame.Reply(0, Command.DmaRead, new byte[size]);
        call.Begin(Command.DmaRead);
        call.Complete(new ReceivedMessage(WireFormat.Read<MessageHeader>(bytes), bytes, 0, null, Errno.None));
    }
}
