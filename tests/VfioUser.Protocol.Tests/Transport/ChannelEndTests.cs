namespace VfioUser.Protocol.Tests.Transport;

/// <summary>However a conversation ends, whoever waits comes back.</summary>
public sealed class ChannelEndTests
{
    public enum Ending
    {
        PeerCloses,
        Shutdown,
        BrokenStream,
        Dispose,
    }

    [Theory]
    [InlineData(Ending.PeerCloses, false)]
    [InlineData(Ending.PeerCloses, true)]
    [InlineData(Ending.Shutdown, false)]
    [InlineData(Ending.Shutdown, true)]
    [InlineData(Ending.BrokenStream, false)]
    [InlineData(Ending.BrokenStream, true)]
    [InlineData(Ending.Dispose, false)]
    [InlineData(Ending.Dispose, true)]
    public void All_calls_fail_with_ENOTCONN_at_the_end_of_the_connection(Ending end, bool commandThread)
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            Background<bool>? commands = commandThread ? Background.Run(() => ReceiveUntilTheEnd(channel)) : null;
            Background<Errno>[] callers = [.. Enumerable.Range(0, 10).Select(_ => Background.Run(() => channel.AskInVain()))];
            foreach (Background<Errno> _ in callers)
                peer.ReadQuestion();

            Bring(end, peer, channel);

            callers.Select(caller => caller.Result).Should().AllBeEquivalentTo(Errno.ENOTCONN);
            commands?.Join();
        }
    }

    [Theory]
    [InlineData(Ending.PeerCloses)]
    [InlineData(Ending.Shutdown)]
    [InlineData(Ending.BrokenStream)]
    [InlineData(Ending.Dispose)]
    public void A_command_thread_alone_returns_at_the_end_of_the_connection(Ending end)
    {
        for (int i = 0; i < 50; i++)
        {
            (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
            using (channel)
            using (peer)
            {
                Background<bool> commands = Background.Run(() => ReceiveUntilTheEnd(channel));
                for (int work = 0; work < i * 100; work++)
                    peer.LimitBuffers(1 << 16); // once before it waits, once after

                Bring(end, peer, channel);

                commands.Join();
            }
        }
    }

    [Fact]
    public void Dispose_and_those_who_use_the_channel_do_not_hold_each_other_up()
    {
        for (int i = 0; i < 200; i++)
        {
            (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
            using (peer)
            {
                Background<bool> commands = Background.Run(() => ReceiveUntilTheEnd(channel));
                Background<Errno> caller = Background.Run(() => channel.AskInVain());
                if (i % 2 == 0)
                    peer.ReadHeader();

                Background.Run(channel.Dispose).Join();

                caller.Result.Should().Be(Errno.ENOTCONN);
                commands.Join();
            }
        }
    }

    [Fact]
    public void Callers_that_wait_for_their_turn_fail_at_the_end_of_the_connection()
    {
        (RawPeer peer, MessageChannel channel) = RawPeer.ConnectChannel();
        using (channel)
        using (peer)
        {
            Background<Errno>[] callers = [.. Enumerable.Range(0, 270).Select(_ => Background.Run(() => channel.AskInVain()))];
            for (int i = 0; i < 256; i++)
                peer.ReadHeader();

            channel.Shutdown();

            callers.Select(caller => caller.Result).Should().AllBeEquivalentTo(Errno.ENOTCONN);
        }
    }

    [Fact]
    public void A_socket_that_is_none_ends_the_conversation_and_is_no_surprise_in_shutdown()
    {
        using TestFile file = new();
        using Microsoft.Win32.SafeHandles.SafeFileHandle copy = Interop.FileCalls.Duplicate(file.Handle);
        using System.Net.Sockets.SafeSocketHandle handle = new(copy.DangerousGetHandle(), ownsHandle: false);
        using MessageChannel channel = new(new MessageSocket(handle));

        channel.Invoking(it => it.ReceiveCommand(wait: true, out _)).Should().Throw<ProtocolException>().WithInnerException<IOException>();
        channel.Invoking(it => it.Shutdown()).Should().NotThrow();
        channel.Invoking(it => it.Dispose()).Should().NotThrow();
    }

    [Fact]
    public void A_failed_send_ends_the_connection()
    {
        using TestFile file = new();
        using Microsoft.Win32.SafeHandles.SafeFileHandle copy = Interop.FileCalls.Duplicate(file.Handle);
        using System.Net.Sockets.SafeSocketHandle handle = new(copy.DangerousGetHandle(), ownsHandle: false);
        using MessageSocket noSocket = new(handle);

        noSocket.Send(Frame.RegionRead(1)).Should().BeFalse();

        noSocket.Receive(wait: true).Should().Be(ReceiveStatus.Closed);
        new ReplyWriter(noSocket).Fail(default, Errno.EIO).Should().BeTrue("nothing is sent yet");
        using MessageChannel channel = new(noSocket);
        channel.Post(Command.RegionWrite, default).Should().BeFalse();
    }

    private static void Bring(Ending end, RawPeer peer, MessageChannel channel)
    {
        switch (end)
        {
            case Ending.PeerCloses:
                peer.Dispose();
                break;
            case Ending.Shutdown:
                channel.Shutdown();
                break;
            case Ending.BrokenStream:
                peer.Write(Frame.Header(1));
                break;
            case Ending.Dispose:
                Background.Run(channel.Dispose).Join();
                break;
        }
    }

    private static void ReceiveUntilTheEnd(MessageChannel channel)
    {
        try
        {
            while (channel.ReceiveCommand(wait: true, out _) == ReceiveStatus.Received)
            {
            }
        }
        catch (ProtocolException)
        {
            // one of the ends
        }
    }
}
