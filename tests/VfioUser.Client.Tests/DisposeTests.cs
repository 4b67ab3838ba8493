namespace VfioUser.Client.Tests;

public class DisposeTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Pending_commands_of_the_server_do_not_block_dispose(bool handler)
    {
        using TestFile file = new();
        using FakeServer server = FakeServer.Negotiated(FakeServer.NoTwin with { DmaHandler = handler ? new Memory() : null });
        for (ushort id = 1; id <= 100; id++)
            server.Peer.Write(Frame.DmaMap(id), file.Handle);

        Background.Run(server.Client.Dispose).Join();

        file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void Calls_that_are_pending_come_back()
    {
        using FakeServer server = FakeServer.Negotiated();
        VfioUserClient client = server.Client;
        Background<bool> reset = Background.Run(client.ResetDevice);
        server.Peer.ReadHeader();

        Background.Run(client.Dispose).Join();

        reset.Invoking(it => it.Join()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);
        client.Invoking(it => it.ResetDevice()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);
        client.Invoking(it => it.Dispose()).Should().NotThrow();
    }

    [Fact]
    public void A_handler_can_dispose_the_client()
    {
        VfioUserClient? client = null;
        using ManualResetEventSlim disposed = new();
        using FakeServer server = FakeServer.Negotiated(FakeServer.NoTwin with
        {
            DmaHandler = new Memory
            {
                Before = () =>
                {
                    client!.Dispose();
                    disposed.Set();
                },
            },
        });
        client = server.Client;

        server.Peer.Write(Frame.Command(1, Command.DmaRead, new byte[16]));

        disposed.Wait(Background.Timeout).Should().BeTrue();
        server.Peer.ReadMessage().Should().BeNull();
    }

    [Fact]
    public void A_server_that_does_not_read_does_not_block_dispose()
    {
        Memory memory = new();
        using FakeServer server = FakeServer.Negotiated(FakeServer.NoTwin with { DmaHandler = memory });
        byte[] access = new byte[DmaAccess.WireSize];
        WireFormat.Write(access, new DmaAccess(Memory.Start, 1 << 20));
        for (ushort id = 1; id <= 10; id++)
            server.Peer.Write(Frame.Command(id, Command.DmaRead, access));
        server.Peer.ReadBytes(1); // it is in the middle of answering

        Background.Run(server.Client.Dispose).Join();
    }

    [Fact]
    public void A_server_that_floods_a_client_which_never_listens_is_cut_off()
    {
        using FakeServer server = FakeServer.Negotiated();
        VfioUserClient client = server.Client;
        Background<bool> reset = Background.Run(client.ResetDevice);
        Background<bool> flood = server.Peer.Flood(Frame.RegionWrite(1, 4000));

        reset.Invoking(it => it.Join()).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);
        client.Dispose();
        flood.Join();
    }
}
