using System.Runtime.InteropServices;

namespace VfioUser.Protocol.Tests.Transport;

public sealed class DescriptorLimitTests : IDisposable
{
    private readonly RawPeer _peer;
    private readonly MessageSocket _socket;
    private readonly TestFile _file = new();

    public DescriptorLimitTests() => (_peer, _socket) = RawPeer.Connect();

    [Fact]
    public void The_maximum_number_of_descriptors_of_a_message_arrives()
    {
        _peer.Write(Frame.Command(1, Command.DeviceSetIrqs, new byte[20]), Handles(ProtocolLimits.MaxMessageFds));

        Incoming message = Incoming.Next(_socket);

        message.FdProblem.Should().Be(Errno.None);
        message.FdCount.Should().Be(16);
        _file.OpenCopies.Should().Be(16);
        message.Fds!.Dispose();
        _file.OpenCopies.Should().Be(0);
    }

    [Theory]
    [InlineData(17)]
    [InlineData(64)]
    [InlineData(65)] // more than a receive has room for: the kernel truncates
    [InlineData(253)] // as many as Linux takes
    public void Descriptors_beyond_the_limit_are_closed_and_only_that_message_is_refused(int count)
    {
        _peer.Write(Frame.RegionRead(1));
        _peer.Write(Frame.DmaMap(2), Handles(count));
        _peer.Write(Frame.DmaMap(3), _file.Handle);

        Incoming before = Incoming.Next(_socket);
        _file.OpenCopies.Should().Be(0);
        Incoming refused = Incoming.Next(_socket);
        Incoming after = Incoming.Next(_socket);

        before.FdProblem.Should().Be(Errno.None);
        refused.FdProblem.Should().Be(Errno.EINVAL);
        refused.FdCount.Should().Be(0);
        after.FdProblem.Should().Be(Errno.None);
        after.FdCount.Should().Be(1);
        _file.OpenCopies.Should().Be(1);
        after.Fds!.Dispose();
    }

    [Fact]
    public void A_limit_of_its_own_is_kept()
    {
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect(new MessageSocketOptions { MaxMessageFds = 0 });
        using (socket)
        using (peer)
        {
            peer.Write(Frame.DmaMap(1), _file.Handle);

            Incoming message = Incoming.Next(socket);

            message.FdProblem.Should().Be(Errno.EINVAL);
            _file.OpenCopies.Should().Be(0);
        }
    }

    [Fact]
    public void A_message_may_bring_them_in_pieces()
    {
        byte[] message = Frame.Command(1, Command.DeviceSetIrqs, new byte[20]);
        using TestFile last = new();

        for (int i = 0; i < 15; i++)
        {
            _peer.Write(message.AsSpan(i, 1), _file.Handle);
            _socket.Receive(wait: true);
        }
        _peer.Write(message.AsSpan(15), last.Handle);
        Incoming received = Incoming.Next(_socket);

        received.FdProblem.Should().Be(Errno.None);
        received.FdCount.Should().Be(16);
        last.IsSameAs(received.Fds!.Take(15)).Should().BeTrue();
        received.Fds.Dispose();
        _file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void Descriptors_that_keep_coming_in_pieces_are_closed_as_they_come()
    {
        byte[] message = Frame.RegionWrite(1, 2000);
        int most = 0;

        for (int i = 0; i < 1000; i++)
        {
            _peer.Write(message.AsSpan(i, 1), Handles(10));
            _socket.Receive(wait: true);
            most = Math.Max(most, i % 100 < 3 ? _file.OpenCopies : 0);
        }
        _peer.Write(message.AsSpan(1000));
        Incoming received = Incoming.Next(_socket);

        most.Should().Be(10, "ten are allowed, the next ten are too many");
        received.FdProblem.Should().Be(Errno.EINVAL);
        received.Bytes.Should().Equal(message);
        _file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void Descriptors_of_an_unfinished_message_are_closed_with_the_socket()
    {
        _peer.Write(Frame.DmaMap(1).AsSpan(0, 20), _file.Handle);
        _socket.Receive(wait: true);
        _socket.TryParse(out _).Should().BeFalse();
        _file.OpenCopies.Should().Be(1);

        _socket.Dispose();

        _file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void Received_descriptors_are_close_on_exec()
    {
        const int GetFdFlags = 1;
        const int CloseOnExec = 1;
        _peer.Write(Frame.DmaMap(1), _file.Handle);

        using FdList fds = Incoming.Next(_socket).Fds!;
        using Microsoft.Win32.SafeHandles.SafeFileHandle fd = fds.Take(0);

        Interop.Libc.Fcntl(fd, GetFdFlags, 0).Should().Be(CloseOnExec);
    }

    [Fact]
    public void Sending_borrows_them()
    {
        _socket.Send(Frame.DmaMap(1), default, [_file.Handle, _file.Handle]).Should().BeTrue();

        byte[] received = _peer.ReadOnce(100, out FdList? fds);

        received.Should().Equal(Frame.DmaMap(1));
        fds!.Count.Should().Be(2);
        _file.IsSameAs(fds.Take(1)).Should().BeTrue();
        _file.Handle.IsClosed.Should().BeFalse();
        fds.Dispose();
        _file.Dispose();
        _file.Handle.IsClosed.Should().BeTrue("no reference was left behind");
    }

    [Fact]
    public void A_closed_one_cannot_be_sent_and_the_message_stays_here()
    {
        using TestFile closed = new();
        closed.Dispose();

        _socket.Invoking(socket => socket.Send(Frame.DmaMap(1), default, [_file.Handle, closed.Handle])).Should().Throw<ObjectDisposedException>();
        _socket.Send(Frame.DmaMap(2), default, [_file.Handle]).Should().BeTrue();

        _peer.ReadOnce(1000, out FdList? fds).Should().Equal(Frame.DmaMap(2));
        fds!.Dispose();
        _file.Dispose();
        _file.OpenCopies.Should().Be(0, "the reference on the good one was given back");
    }

    [Fact]
    public void Descriptors_beyond_linuxs_limit_are_not_sent_and_the_message_stays()
    {
        _socket.Send(Frame.DmaMap(1), default, Handles(ProtocolLimits.MaxScmFds + 1), Deadline.Never).Should().Be(Errno.EINVAL);
        _socket.Send(Frame.DmaMap(1), default, Handles(ProtocolLimits.MaxScmFds + 1)).Should().BeFalse();
        _socket.Send(Frame.RegionRead(2)).Should().BeTrue();

        _peer.ReadHeader().MessageId.Should().Be(2);
    }

    public void Dispose()
    {
        _peer.Dispose();
        _socket.Dispose();
        _file.Dispose();
    }

    private SafeHandle[] Handles(int count) => [.. Enumerable.Repeat<SafeHandle>(_file.Handle, count)];
}
