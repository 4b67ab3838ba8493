using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Tests.Transport;

public sealed class ReplyWriterTests : IDisposable
{
    private readonly RawPeer _peer;
    private readonly MessageSocket _socket;
    private readonly ReplyWriter _replies;

    public ReplyWriterTests()
    {
        (_peer, _socket) = RawPeer.Connect();
        _replies = new ReplyWriter(_socket);
    }

    [Fact]
    public void Several_replies_leave_in_one_send()
    {
        Build(1, [1, 2, 3]).Should().BeTrue();
        Build(2, []).Should().BeTrue();
        _replies.Fail(Request(3), Errno.ENOENT).Should().BeTrue();
        Build(4, [4]).Should().BeTrue();

        _replies.Flush().Should().BeTrue();

        _peer.ReadOnce().Should().Equal(
            [.. Frame.Reply(1, Command.RegionRead, 1, 2, 3), .. Frame.Reply(2, Command.RegionRead), .. Frame.Error(3, Command.RegionRead, Errno.ENOENT),
             .. Frame.Reply(4, Command.RegionRead, 4)]);
    }

    [Fact]
    public void A_writer_without_replies_sends_nothing()
    {
        _replies.Flush().Should().BeTrue();
        Build(1, [1]);
        _replies.Flush();
        _replies.Flush();
        _socket.Dispose();

        _peer.ReadOnce().Should().Equal(Frame.Reply(1, Command.RegionRead, 1));
        _peer.ReadOnce().Should().BeEmpty();
    }

    [Fact]
    public void A_reply_can_end_shorter_than_it_began()
    {
        _replies.Begin(Request(1), 100)[0] = 7;
        _replies.End(1);
        Build(2, [8]);
        _replies.Flush();

        _peer.ReadOnce().Should().Equal([.. Frame.Reply(1, Command.RegionRead, 7), .. Frame.Reply(2, Command.RegionRead, 8)]);
    }

    [Fact]
    public void A_reply_that_was_begun_may_turn_out_an_error()
    {
        _replies.Begin(Request(1), 100).Fill(7);
        _replies.Fail(Request(1), Errno.EINVAL);
        _replies.Flush();

        _peer.ReadOnce().Should().Equal(Frame.Error(1, Command.RegionRead, Errno.EINVAL));
    }

    [Fact]
    public void A_no_reply_command_gets_none_not_even_an_error()
    {
        MessageHeader posted = Request(1) with { Flags = MessageFlags.NoReply };
        using TestFile file = new();

        _replies.Begin(posted, 8);
        _replies.End(8).Should().BeTrue();
        _replies.Begin(posted, 8);
        _replies.End(8, [file.Handle]).Should().BeTrue();
        _replies.Fail(posted, Errno.EINVAL).Should().BeTrue();
        Build(2, []);
        _replies.Flush();

        _peer.ReadOnce().Should().Equal(Frame.Reply(2, Command.RegionRead));
    }

    [Fact]
    public void A_reply_with_descriptors_is_sent_alone_and_in_order()
    {
        using TestFile file = new();

        Build(1, [1]);
        Build(2, [2]);
        Build(3, [3], file.Handle, file.Handle);
        Build(4, [4], file.Handle);
        Build(5, [5]);
        _replies.Flush();

        _peer.ReadOnce((2 * MessageHeader.WireSize) + 2, out FdList? none).Should().Equal([.. Frame.Reply(1, Command.RegionRead, 1), .. Frame.Reply(2, Command.RegionRead, 2)]);
        _peer.ReadOnce(1000, out FdList? two).Should().Equal(Frame.Reply(3, Command.RegionRead, 3));
        _peer.ReadOnce(1000, out FdList? one).Should().Equal(Frame.Reply(4, Command.RegionRead, 4));
        _peer.ReadOnce(1000, out FdList? last).Should().Equal(Frame.Reply(5, Command.RegionRead, 5));
        new[] { none, two, one, last }.Select(fds => fds?.Count ?? 0).Should().Equal(0, 2, 1, 0);
        two!.Dispose();
        one!.Dispose();
        file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void A_reply_whose_descriptor_is_closed_is_not_sent_and_nothing_is_sent_twice()
    {
        using TestFile file = new();
        file.Dispose();
        Build(1, [1]);

        this.Invoking(it => it.Build(2, [2], file.Handle)).Should().Throw<ObjectDisposedException>();
        _replies.Fail(Request(2), Errno.EIO);
        _replies.Flush();
        _socket.Dispose();

        _peer.ReadMessage().Should().Equal(Frame.Reply(1, Command.RegionRead, 1));
        _peer.ReadMessage().Should().Equal(Frame.Error(2, Command.RegionRead, Errno.EIO));
        _peer.ReadMessage().Should().BeNull();
    }

    [Fact]
    public void Large_replies_arrive_whole_between_small_ones()
    {
        byte[] large = Frame.Pattern(1 << 20, 3);
        Background<byte[][]> reader = Background.Run(() => Enumerable.Range(0, 2 * 6).Select(_ => _peer.ReadMessage()!).ToArray());

        for (ushort i = 0; i < 6; i++)
        {
            Build((ushort)(2 * i), [1, 2]).Should().BeTrue();
            Build((ushort)(2 * i + 1), large).Should().BeTrue();
        }
        _replies.Flush().Should().BeTrue();

        for (ushort i = 0; i < 6; i++)
        {
            reader.Result[2 * i].Should().Equal(Frame.Reply((ushort)(2 * i), Command.RegionRead, 1, 2));
            reader.Result[2 * i + 1].AsSpan(MessageHeader.WireSize).SequenceEqual(large).Should().BeTrue();
        }
    }

    [Fact]
    public void Replies_pile_up_only_so_far_before_they_are_sent()
    {
        for (ushort id = 1; id <= 40; id++)
            Build(id, new byte[2000]);

        _peer.ReadOnce(16).Should().HaveCount(16, "64 KiB were reached without a flush");
    }

    [Fact]
    public void Small_replies_follow_after_large_ones_for_long()
    {
        Background<bool> reader = Background.Run(() =>
        {
            for (int i = 0; i < 601; i++)
                _peer.ReadMessage().Should().NotBeNull();
        });

        Build(0, new byte[1 << 20]);
        for (ushort i = 1; i <= 600; i++)
        {
            Build(i, [1]);
            _replies.Flush().Should().BeTrue();
        }

        reader.Join();
    }

    [Fact]
    public void Sending_reports_a_peer_that_disconnected()
    {
        using TestFile file = new();
        _peer.Dispose();

        Build(1, [1]);
        _replies.Flush().Should().BeFalse();
        Build(2, [2], file.Handle).Should().BeFalse();
        Build(3, new byte[100_000]).Should().BeFalse();
    }

    [Fact]
    public void A_reply_whose_descriptors_cannot_be_sent_becomes_an_error()
    {
        using TestFile file = new();
        Build(1, [1]).Should().BeTrue();

        Build(2, [2], [.. Enumerable.Repeat<SafeHandle>(file.Handle, ProtocolLimits.MaxScmFds + 1)]).Should().BeTrue();
        Build(3, [3]).Should().BeTrue();
        _replies.Flush().Should().BeTrue();

        _peer.ReadMessage().Should().Equal(Frame.Reply(1, Command.RegionRead, 1));
        _peer.ReadMessage().Should().Equal(Frame.Error(2, Command.RegionRead, Errno.EINVAL));
        _peer.ReadMessage().Should().Equal(Frame.Reply(3, Command.RegionRead, 3));
    }

    public void Dispose()
    {
        _peer.Dispose();
        _socket.Dispose();
    }

    [Fact]
    public void Memory_for_a_dirty_bitmap_is_given_back_with_the_next_flush()
    {
        _replies.Begin(Request(1), 4 << 20);
        _replies.Capacity.Should().BeGreaterThan(4 << 20);

        _replies.End(4).Should().BeTrue();
        _replies.Flush().Should().BeTrue();

        _replies.Capacity.Should().BeLessThan(1 << 20);
    }

    private static MessageHeader Request(ushort id) => new(id, Command.RegionRead, 32, MessageFlags.Command, 0);

    private bool Build(ushort id, byte[] payload, params SafeHandle[] fds)
    {
        payload.CopyTo(_replies.Begin(Request(id), payload.Length));
        return fds.Length == 0 ? _replies.End(payload.Length) : _replies.End(payload.Length, fds);
    }

    [Fact]
    public void A_reply_that_is_open_stays_where_it_is_while_others_are_sent()
    {
        Build(1, [1]);
        Span<byte> open = _replies.Begin(Request(2), 2);
        open[0] = 2;

        _replies.Flush().Should().BeTrue();
        _peer.ReadOnce().Should().Equal(Frame.Reply(1, Command.RegionRead, 1));
        open[1] = 3;
        bool same = open == _replies.OpenPayload;
        _replies.End(2);
        Build(3, [4]);
        _replies.Flush().Should().BeTrue();

        same.Should().BeTrue();
        _peer.ReadOnce().Should().Equal([.. Frame.Reply(2, Command.RegionRead, 2, 3), .. Frame.Reply(3, Command.RegionRead, 4)]);
    }

    [Fact]
    public void Replies_under_which_others_are_sent_do_not_make_the_buffer_grow()
    {
        for (int i = 0; i < 100; i++)
        {
            _replies.Begin(Request(1), 1000).Clear();
            _replies.Flush().Should().BeTrue();
            _replies.End(1000);
            if (i > 0)
                _peer.ReadOnce().Should().HaveCount(MessageHeader.WireSize + 1000);
        }

        _replies.Capacity.Should().Be(4 << 10);
    }
}
