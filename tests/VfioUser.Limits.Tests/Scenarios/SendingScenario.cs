using System.Runtime.InteropServices;

namespace VfioUser.Limits.Tests;

/// <summary>
/// A peer does not read what it asked for, until as many descriptors are under way as the user may have.
/// From then on Linux refuses to pass any on (ETOOMANYREFS), also on other connections of the same user.
/// </summary>
internal static class SendingScenario
{
    private const Errno TooManyReferences = (Errno)109;

    public static void Run()
    {
        Limits.DropPrivileges();
        Limits.Descriptors = 256;
        using TestFile file = new();
        SafeHandle[] fds = [.. Enumerable.Repeat<SafeHandle>(file.Handle, 16)];
        (RawPeer peer, MessageSocket socket) = RawPeer.Connect();
        (RawPeer otherPeer, MessageSocket other) = RawPeer.Connect();
        using (peer)
        using (socket)
        using (otherPeer)
        using (MessageChannel channel = new(other))
        {
            int sent = 0;
            Errno errno;
            while ((errno = socket.Send(Frame.DmaMap(1), default, fds, Deadline.After(Background.Timeout))) == Errno.None && sent < 100)
                sent++;

            errno.Should().Be(TooManyReferences, "{0} messages with 16 descriptors each are under way", sent);
            sent.Should().BePositive();
            socket.Send(Frame.RegionRead(2)).Should().BeTrue("the conversation goes on without descriptors");
            Ask(channel, fds).Should().Be(TooManyReferences);
            AnswerWith(otherPeer, other, fds);

            for (; sent > 0; sent--)
            {
                peer.ReadOnce(Frame.DmaMap(1).Length, out FdList? received);
                received!.Dispose();
            }
            peer.ReadHeader().MessageId.Should().Be(2);
            socket.Send(Frame.DmaMap(3), default, fds).Should().BeTrue("there is room again");
        }
    }

    private static Errno Ask(MessageChannel channel, SafeHandle[] fds)
    {
        using Reply reply = channel.Call(Command.DmaMap, default, default, fds);
        return reply.Errno;
    }

    // a server's reply that should bring descriptors
    private static void AnswerWith(RawPeer peer, MessageSocket socket, SafeHandle[] fds)
    {
        ReplyWriter replies = new(socket);
        replies.Begin(new MessageHeader(5, Command.DeviceGetRegionInfo, 32, MessageFlags.Command, 0), 8);

        replies.End(8, fds).Should().BeTrue();
        replies.Flush().Should().BeTrue();

        peer.ReadMessage().Should().Equal(Frame.Error(5, Command.DeviceGetRegionInfo, TooManyReferences));
    }
}
