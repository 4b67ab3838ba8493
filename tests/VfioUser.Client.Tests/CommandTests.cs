namespace VfioUser.Client.Tests;

public sealed class CommandTests : IDisposable
{
    private readonly FakeServer _server = FakeServer.Negotiated();

    [Fact]
    public void An_error_has_command_and_errno_and_the_connection_continues()
    {
        Background<VfioUserException> reading = Background.Run(() =>
            FluentActions.Invoking(() => _server.Client.ReadRegion(0, 0, new byte[4])).Should().Throw<VfioUserException>().Which);

        _server.Peer.Write(Frame.Error(_server.Peer.ReadHeader().MessageId, Command.RegionRead, Errno.EPERM));

        reading.Result.Command.Should().Be(Command.RegionRead);
        reading.Result.Errno.Should().Be(Errno.EPERM);
        reading.Result.Message.Should().Contain("RegionRead").And.Contain("EPERM");
        Background<bool> reset = Background.Run(_server.Client.ResetDevice);
        _server.Peer.Write(Frame.Reply(_server.Peer.ReadHeader().MessageId, Command.DeviceReset));
        reset.Join();
    }

    [Fact]
    public void A_region_is_read()
    {
        byte[] destination = new byte[4];
        Background<bool> reading = Background.Run(() => _server.Client.ReadRegion(2, 0x10, destination));

        RegionAccess access = _server.Read<RegionAccess>(out MessageHeader header);
        _server.Answer(header, access, [1, 2, 3, 4]);

        reading.Join();
        access.Should().Be(new RegionAccess(0x10, 2, 4));
        destination.Should().Equal(1, 2, 3, 4);
    }

    [Theory]
    [InlineData(4u, 3)]
    [InlineData(4u, 5)]
    [InlineData(3u, 4)]
    [InlineData(uint.MaxValue, 4)]
    [InlineData(0u, 0)]
    public void A_read_that_is_answered_with_another_length_failed(uint count, int length)
    {
        byte[] destination = new byte[4];
        Background<bool> reading = Background.Run(() => _server.Client.ReadRegion(0, 0, destination));

        _server.Read<RegionAccess>(out MessageHeader header);
        _server.Answer(header, new RegionAccess(0, 0, count), [.. Enumerable.Repeat((byte)9, length)]);

        reading.Invoking(it => it.Join()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EBADMSG);
        destination.Should().OnlyContain(one => one == 0);
    }

    [Fact]
    public void A_reply_that_is_too_short_failed()
    {
        Background<DeviceInfo> asking = Background.Run(_server.Client.GetDeviceInfo);

        _server.Peer.Write(Frame.Reply(_server.Peer.ReadHeader().MessageId, Command.DeviceGetInfo, new byte[15]));

        asking.Invoking(it => it.Result).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EBADMSG);
    }

    [Fact]
    public void A_region_is_written()
    {
        Background<bool> writing = Background.Run(() => _server.Client.WriteRegion(1, 8, [5, 6]));

        RegionAccess access = _server.Read<RegionAccess>(out MessageHeader header);
        _server.Answer(header, access);

        writing.Join();
        access.Should().Be(new RegionAccess(8, 1, 2));
        header.MessageSize.Should().Be(34);
    }

    [Fact]
    public void A_write_of_which_less_was_done_failed()
    {
        Background<bool> writing = Background.Run(() => _server.Client.WriteRegion(1, 8, [5, 6]));

        RegionAccess access = _server.Read<RegionAccess>(out MessageHeader header);
        _server.Answer(header, access with { Count = 1 });

        writing.Invoking(it => it.Join()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EBADMSG);
    }

    [Fact]
    public void A_posted_write_is_not_waited_for()
    {
        _server.Client.PostRegionWrite(1, 8, [5, 6]);

        RegionAccess access = _server.Read<RegionAccess>(out MessageHeader header);

        access.Should().Be(new RegionAccess(8, 1, 2));
        header.NoReply.Should().BeTrue();
    }

    [Fact]
    public void Eventfds_go_in_as_many_messages_as_the_server_takes()
    {
        using EventFd eventFd = new();
        Background<bool> setting = Background.Run(() =>
            _server.Client.SetIrqEventFds(2, 5, [.. Enumerable.Repeat(eventFd.Handle, 20)]));

        List<(uint Start, uint Count, int Fds)> messages = [];
        for (int i = 0; i < 3; i++)
        {
            byte[] message = _server.Peer.ReadOnce(1000, out FdList? fds);
            IrqSet set = WireFormat.Read<IrqSet>(message.AsSpan(MessageHeader.WireSize));
            set.Flags.Should().Be(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger);
            set.Index.Should().Be(2);
            messages.Add((set.Start, set.Count, fds!.Count));
            fds.Dispose();
            _server.Peer.Write(Frame.Reply(WireFormat.Read<MessageHeader>(message).MessageId, Command.DeviceSetIrqs));
        }

        setting.Join();
        messages.Should().Equal((5u, 8u, 8), (13u, 8u, 8), (21u, 4u, 4));
    }

    [Fact]
    public void Mapped_memory_is_borrowed()
    {
        using TestFile file = new();
        Background<bool> mapping = Background.Run(() => _server.Client.MapDma(0x4000, 0x1000, file.Handle, offset: 0x2000));

        byte[] message = _server.Peer.ReadOnce(1000, out FdList? fds);
        _server.Peer.Write(Frame.Reply(WireFormat.Read<MessageHeader>(message).MessageId, Command.DmaMap));

        mapping.Join();
        WireFormat.Read<DmaMap>(message.AsSpan(MessageHeader.WireSize)).Should().Be(
            new DmaMap(32, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0x2000, 0x4000, 0x1000));
        fds!.Count.Should().Be(1);
        fds.Dispose();
        file.OpenCopies.Should().Be(0);
        file.Handle.IsClosed.Should().BeFalse();
    }

    [Fact]
    public void A_server_that_has_ended_fails_the_connection()
    {
        _server.Peer.Dispose();

        _server.Client.Invoking(it => it.ResetDevice()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);
        _server.Client.Invoking(it => it.PostRegionWrite(0, 0, [1])).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);
    }

    public void Dispose() => _server.Dispose();
}
