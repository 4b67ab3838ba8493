namespace VfioUser.Protocol.Tests.Transport;

/// <summary>
/// Descriptors end up with the message that they were sent with. The first tests are a table of what Linux does on
/// a stream socket, row by row; writes are named by what they carry.
/// </summary>
public sealed class DescriptorRoutingTests : IDisposable
{
    private readonly RawPeer _peer;
    private readonly MessageSocket _socket;
    private readonly TestFile _file = new();
    private readonly TestFile _other = new();

    public DescriptorRoutingTests() => (_peer, _socket) = RawPeer.Connect();

    [Fact]
    public void Row_1_plain_then_one_with_a_descriptor_then_plain()
    {
        _peer.Write(Frame.RegionRead(1));
        _peer.Write(Frame.DmaMap(2), _file.Handle);
        _peer.Write(Frame.RegionRead(3));

        Expect(1);
        Expect(2, _file);
        Expect(3);
    }

    [Fact]
    public void Unparsed_bytes_bring_their_descriptors_and_leave_later_ones()
    {
        _peer.Write(Frame.DmaMap(1).AsSpan(0, 20), _file.Handle);
        _socket.Receive(wait: true).Should().Be(ReceiveStatus.Received);

        byte[] taken = _socket.TakeUnparsed(100, out FdList? fds).ToArray();
        _peer.Write(Frame.DmaMap(2), _other.Handle);

        taken.Should().Equal(Frame.DmaMap(1)[..20]);
        using (fds)
            _file.IsSameAs(fds!.Take(0)).Should().BeTrue();
        Expect(2, _other);
    }

    [Fact]
    public void Row_2_one_descriptor_then_two()
    {
        _peer.Write(Frame.DmaMap(1), _file.Handle);
        _peer.Write(Frame.Command(2, Command.DeviceSetIrqs, new byte[20]), _other.Handle, _file.Handle);

        Expect(1, _file);
        Expect(2, _other, _file);
    }

    [Fact]
    public void Row_3_descriptor_then_plain_then_descriptor()
    {
        _peer.Write(Frame.DmaMap(1), _file.Handle);
        _peer.Write(Frame.RegionRead(2));
        _peer.Write(Frame.DmaMap(3), _other.Handle);

        Expect(1, _file);
        Expect(2);
        Expect(3, _other);
    }

    [Fact]
    public void Row_4_a_message_too_long_for_one_receive_then_plain()
    {
        byte[] large = Frame.RegionWrite(1, 100_000);
        Background<bool> writer = Background.Run(() =>
        {
            _peer.Write(large, _file.Handle, _other.Handle);
            _peer.Write(Frame.RegionRead(2));
        });

        Expect(1, _file, _other);
        Expect(2);
        writer.Join();
    }

    [Fact]
    public void Row_5_a_receive_that_ends_within_the_message_with_the_descriptor()
    {
        // the buffer ends six bytes into the last message
        byte[] filler = Frame.RegionWrite(1, (64 << 10) - MessageHeader.WireSize - RegionAccess.WireSize - 6);
        _peer.LimitBuffers(4 << 20);
        _peer.Write(filler);
        _peer.Write(Frame.DmaMap(2), _file.Handle);
        _peer.Write(Frame.DmaMap(3), _other.Handle);

        Expect(1);
        Expect(2, _file);
        Expect(3, _other);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Pipelined_maps_keep_their_descriptors_apart(int plainBetween)
    {
        TestFile[] files = [.. Enumerable.Range(0, 40).Select(_ => new TestFile())];
        ushort id = 0;
        _peer.LimitBuffers(4 << 20);
        foreach (TestFile file in files)
        {
            _peer.Write(Frame.DmaMap(++id), file.Handle);
            for (int i = 0; i < plainBetween; i++)
                _peer.Write(Frame.RegionRead(++id));
        }

        id = 0;
        foreach (TestFile file in files)
        {
            Expect(++id, file);
            for (int i = 0; i < plainBetween; i++)
                Expect(++id);
            file.Dispose();
        }
    }

    [Fact]
    public void A_map_without_a_descriptor_right_before_one_with_it_gets_none()
    {
        _peer.Write(Frame.DmaMap(1));
        _peer.Write(Frame.DmaMap(2), _file.Handle);
        _peer.Write(Frame.DmaMap(3));

        Expect(1);
        Expect(2, _file);
        Expect(3);
    }

    [Fact]
    public void A_map_without_a_descriptor_right_before_an_unmap_with_one_gets_none()
    {
        _peer.Write(Frame.DmaMap(1));
        _peer.Write(Frame.Command(2, Command.DmaUnmap, new byte[DmaUnmap.WireSize]), _file.Handle);
        _peer.Write(Frame.DmaMap(3), _other.Handle);

        Expect(1);
        Expect(2, _file);
        Expect(3, _other);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Any_byte_of_a_message_may_bring_the_descriptor(bool receiveBetween)
    {
        byte[] before = Frame.RegionWrite(1, 8);
        byte[] with = Frame.DmaMap(2);

        for (int at = 0; at < with.Length; at++)
        {
            _peer.Write([.. before, .. with.AsSpan(0, at)]);
            if (receiveBetween)
                _socket.Receive(wait: true);
            _peer.Write(with.AsSpan(at, 1), _file.Handle);
            _peer.Write([.. with.AsSpan(at + 1), .. Frame.RegionRead(3)]);

            Expect(1);
            Expect(2, _file);
            Expect(3);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_stream_may_be_cut_anywhere_before_the_piece_with_the_descriptor(bool receiveBetween)
    {
        byte[] stream = [.. Frame.RegionWrite(1, 12), .. Frame.DmaMap(2)];

        for (int cut = 1; cut < stream.Length; cut++)
        {
            _peer.Write(stream.AsSpan(0, cut));
            if (receiveBetween)
                _socket.Receive(wait: true);
            _peer.Write(stream.AsSpan(cut), _file.Handle);

            Expect(1);
            Expect(2, _file);
        }
    }

    [Fact]
    public void A_header_with_the_descriptor_and_then_the_body()
    {
        byte[] message = Frame.DmaMap(1);

        _peer.Write(message.AsSpan(0, MessageHeader.WireSize), _file.Handle);
        _socket.Receive(wait: true);
        _socket.TryParse(out _).Should().BeFalse();
        _peer.Write(message.AsSpan(MessageHeader.WireSize));

        Expect(1, _file);
    }

    [Fact]
    public void A_header_and_then_the_body_with_the_descriptor()
    {
        byte[] message = Frame.DmaMap(1);

        _peer.Write(message.AsSpan(0, MessageHeader.WireSize));
        _socket.Receive(wait: true);
        _peer.Write(message.AsSpan(MessageHeader.WireSize), _file.Handle);

        Expect(1, _file);
    }

    [Fact]
    public void In_one_write_the_message_that_may_carry_descriptors_gets_them()
    {
        _peer.Write([.. Frame.DmaMap(1), .. Frame.RegionRead(2)], _file.Handle);
        _peer.Write([.. Frame.RegionRead(3), .. Frame.DmaMap(4)], _other.Handle);
        _peer.Write([.. Frame.RegionRead(5), .. Frame.Command(6, Command.DeviceSetIrqs, new byte[20]), .. Frame.RegionRead(7)], _file.Handle);

        Expect(1, _file);
        Expect(2);
        Expect(3);
        Expect(4, _other);
        Expect(5);
        Expect(6, _file);
        Expect(7);
    }

    [Fact]
    public void In_one_write_with_older_bytes_before_it_the_message_that_may_carry_descriptors_gets_them()
    {
        byte[] older = Frame.RegionRead(1);
        _peer.Write(older.AsSpan(0, 20));
        _socket.Receive(wait: true);

        _peer.Write([.. older.AsSpan(20), .. Frame.DmaMap(2), .. Frame.RegionRead(3)], _file.Handle);

        Expect(1);
        Expect(2, _file);
        Expect(3);
    }

    [Fact]
    public void Descriptors_that_no_message_may_carry_go_to_the_last_one()
    {
        _peer.Write(Frame.RegionRead(1));
        _peer.Write(Frame.RegionRead(2), _file.Handle);

        Expect(1);
        Expect(2, _file);
    }

    [Fact]
    public void A_map_before_a_message_that_may_not_carry_the_descriptor_it_came_with_is_not_left_without_its_own()
    {
        _peer.Write(Frame.DmaMap(1), _file.Handle);
        _peer.Write(Frame.RegionRead(2), _other.Handle);

        Expect(1, _file);
        Expect(2, _other);
    }

    [Fact]
    public void A_reply_with_a_descriptor_after_a_command_keeps_it()
    {
        _peer.Write(Frame.Command(1, Command.DmaRead, new byte[16]));
        _peer.Write(Frame.Reply(2, Command.DeviceGetRegionInfo, new byte[32]), _file.Handle);

        Expect(1);
        Expect(2, _file);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(3u)]
    [InlineData(uint.MaxValue)]
    public void A_descriptor_with_a_broken_header_dies_with_the_socket(uint size)
    {
        _peer.Write(Frame.Header(size, command: Command.DmaMap), _file.Handle);
        _socket.Receive(wait: true);
        _file.OpenCopies.Should().BeGreaterThan(0);

        _socket.Invoking(socket => socket.TryParse(out _)).Should().Throw<ProtocolException>();
        _socket.Dispose();

        _file.OpenCopies.Should().Be(0);
    }

    public void Dispose()
    {
        _peer.Dispose();
        _socket.Dispose();
        _file.Dispose();
        _other.Dispose();
    }

    private void Expect(ushort id, params TestFile[] files)
    {
        Incoming message = Incoming.Next(_socket);
        message.Header.MessageId.Should().Be(id);
        message.FdProblem.Should().Be(Errno.None);
        message.FdCount.Should().Be(files.Length, "message {0} was sent with that many", id);
        for (int i = 0; i < files.Length; i++)
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle fd = message.Fds!.Take(i);
            files[i].IsSameAs(fd).Should().BeTrue();
        }
        message.Fds?.Dispose();
    }
}
