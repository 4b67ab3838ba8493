namespace VfioUser.Client.Tests;

/// <summary>How the client answers the server's accesses to guest memory.</summary>
public class DmaResponderTests
{
    [Fact]
    public void A_read_is_answered_with_the_access_and_the_data()
    {
        Memory memory = new();
        "data"u8.CopyTo(memory.Bytes.AsSpan(8));
        using FakeServer server = Serving(memory);

        server.Peer.Write(Read(1, Memory.Start + 8, 4));

        server.Peer.ReadMessage().Should().Equal(Frame.Reply(1, Command.DmaRead, [.. Access(Memory.Start + 8, 4), .. "data"u8]));
    }

    [Fact]
    public void A_write_is_done_and_answered_with_the_access()
    {
        Memory memory = new();
        using FakeServer server = Serving(memory);

        server.Peer.Write(Frame.Command(1, Command.DmaWrite, [.. Access(Memory.Start, 4), .. "data"u8]));

        server.Peer.ReadMessage().Should().Equal(Frame.Reply(1, Command.DmaWrite, Access(Memory.Start, 4)));
        memory.Bytes.AsSpan(0, 4).SequenceEqual("data"u8).Should().BeTrue();
    }

    [Fact]
    public void The_negotiated_size_is_transferred_in_one_message()
    {
        Memory memory = new();
        Frame.Pattern(memory.Bytes.Length, 5).CopyTo(memory.Bytes, 0);
        using FakeServer server = Serving(memory);

        server.Peer.Write(Read(1, Memory.Start, 1 << 20));
        byte[] read = server.Peer.ReadMessage()!;
        server.Peer.Write(Frame.Command(2, Command.DmaWrite, [.. Access(Memory.Start, 1 << 20), .. new byte[1 << 20]]));
        byte[] written = server.Peer.ReadMessage()!;

        read.AsSpan(32).SequenceEqual(Frame.Pattern(1 << 20, 5)).Should().BeTrue();
        written.Should().Equal(Frame.Reply(2, Command.DmaWrite, Access(Memory.Start, 1 << 20)));
        memory.Bytes.Should().OnlyContain(one => one == 0);
    }

    [Fact]
    public void Nothing_is_read_and_written_without_error_as_QEMU_does()
    {
        using FakeServer server = Serving(new Memory());

        server.Peer.Write(Read(1, ulong.MaxValue, 0));
        server.Peer.Write(Frame.Command(2, Command.DmaWrite, Access(ulong.MaxValue, 0)));

        server.Peer.ReadMessage().Should().Equal(Frame.Reply(1, Command.DmaRead, Access(ulong.MaxValue, 0)));
        server.Peer.ReadMessage().Should().Equal(Frame.Reply(2, Command.DmaWrite, Access(ulong.MaxValue, 0)));
    }

    [Theory]
    [InlineData(Memory.Start, (1ul << 20) + 1)]
    [InlineData(Memory.Start, 1ul << 32)]
    [InlineData(Memory.Start, ulong.MaxValue)]
    [InlineData(ulong.MaxValue, 2ul)]
    [InlineData(ulong.MaxValue - 2, 4ul)]
    public void An_access_that_is_too_long_or_runs_over_is_refused(ulong address, ulong count)
    {
        using FakeServer server = Serving(new Memory { Before = () => throw new InvalidOperationException("It must not get here.") });

        server.Peer.Write(Read(1, address, count));
        server.Peer.Write(Frame.Command(2, Command.DmaWrite, [.. Access(address, count), .. new byte[4]]));

        server.Peer.ReadMessage().Should().Equal(Frame.Error(1, Command.DmaRead, Errno.EINVAL));
        server.Peer.ReadMessage().Should().Equal(Frame.Error(2, Command.DmaWrite, Errno.EINVAL));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(0)]
    public void A_write_with_less_data_than_its_count_is_refused(int length)
    {
        using FakeServer server = Serving(new Memory());

        server.Peer.Write(Frame.Command(1, Command.DmaWrite, [.. Access(Memory.Start, 4), .. new byte[length]]));

        server.Peer.ReadMessage().Should().Equal(Frame.Error(1, Command.DmaWrite, Errno.EINVAL));
    }

    [Fact]
    public void Short_or_other_commands_are_refused_and_their_descriptors_closed()
    {
        using TestFile file = new();
        using FakeServer server = Serving(new Memory());

        server.Peer.Write(Frame.Command(1, Command.DmaRead, new byte[15]), file.Handle);
        server.Peer.Write(Frame.Command(2, Command.DmaMap, new byte[32]), file.Handle);
        server.Peer.Write(Frame.Command(3, (Command)999));

        server.Peer.ReadMessage().Should().Equal(Frame.Error(1, Command.DmaRead, Errno.EINVAL));
        server.Peer.ReadMessage().Should().Equal(Frame.Error(2, Command.DmaMap, Errno.EINVAL));
        server.Peer.ReadMessage().Should().Equal(Frame.Error(3, (Command)999, Errno.EINVAL));
        file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void Refusals_of_the_handler_have_its_errno()
    {
        using FakeServer server = Serving(new Memory());

        server.Peer.Write(Read(1, 0, 4));
        server.Peer.Write(Frame.Command(2, Command.DmaWrite, [.. Access(0, 4), .. new byte[4]]));

        server.Peer.ReadMessage().Should().Equal(Frame.Error(1, Command.DmaRead, Errno.ENODEV));
        server.Peer.ReadMessage().Should().Equal(Frame.Error(2, Command.DmaWrite, Errno.ENODEV));
    }

    [Fact]
    public void A_handler_that_throws_costs_an_error_reply_and_not_the_process()
    {
        int accesses = 0;
        using FakeServer server = Serving(new Memory
        {
            Before = () =>
            {
                if (accesses++ < 2)
                    throw new InvalidOperationException("A bug.");
            },
        });

        server.Peer.Write(Read(1, Memory.Start, 4));
        server.Peer.Write(Frame.Command(2, Command.DmaWrite, [.. Access(Memory.Start, 4), .. new byte[4]]));
        server.Peer.Write(Read(3, Memory.Start, 1));

        server.Peer.ReadMessage().Should().Equal(Frame.Error(1, Command.DmaRead, Errno.EIO));
        server.Peer.ReadMessage().Should().Equal(Frame.Error(2, Command.DmaWrite, Errno.EIO));
        server.Peer.ReadMessage().Should().Equal(Frame.Reply(3, Command.DmaRead, [.. Access(Memory.Start, 1), 0]));
    }

    [Fact]
    public void A_reply_that_no_command_awaits_is_not_answered()
    {
        using FakeServer server = Serving(new Memory());

        server.Peer.Write(Frame.Reply(1, Command.RegionRead, new byte[20]));
        server.Peer.Write(Read(2, Memory.Start, 0));

        server.Peer.ReadHeader().MessageId.Should().Be(2, "two that answer replies would never come to an end");
    }

    [Fact]
    public void A_posted_write_is_done_and_not_answered()
    {
        Memory memory = new();
        using FakeServer server = Serving(memory);

        server.Peer.Write(Frame.Message(new MessageHeader(1, Command.DmaWrite, 0, MessageFlags.NoReply, 0), [.. Access(Memory.Start, 1), 42]));
        server.Peer.Write(Read(2, Memory.Start, 1));

        server.Peer.ReadMessage().Should().Equal(Frame.Reply(2, Command.DmaRead, [.. Access(Memory.Start, 1), 42]));
    }

    [Fact]
    public void Accesses_between_the_clients_own_commands_and_their_replies_are_answered_at_once()
    {
        using FakeServer server = Serving(new Memory());
        VfioUserClient client = server.Client;

        for (ushort i = 1; i <= 100; i++)
        {
            Background<bool> reset = Background.Run(client.ResetDevice);
            ushort id = server.Peer.ReadHeader().MessageId;
            server.Peer.Write(Read(i, Memory.Start, 4));
            server.Peer.ReadHeader().MessageId.Should().Be(i);
            server.Peer.Write(Frame.Reply(id, Command.DeviceReset));
            reset.Join();
        }
    }

    private static FakeServer Serving(Memory memory) => FakeServer.Negotiated(FakeServer.NoTwin with { DmaHandler = memory });

    private static byte[] Read(ushort id, ulong address, ulong count) => Frame.Command(id, Command.DmaRead, Access(address, count));

    private static byte[] Access(ulong address, ulong count)
    {
        byte[] bytes = new byte[DmaAccess.WireSize];
        WireFormat.Write(bytes, new DmaAccess(address, count));
        return bytes;
    }
}
