using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser.Client.Tests;

/// <summary>The specification's three cases of a reply, and what a hostile server makes of them.</summary>
public sealed class TwinSocketTests : IDisposable
{
    private const string Enabled = """{"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}}""";
    private readonly RawPeer _twin;
    private readonly SafeSocketHandle _clientEnd;

    public TwinSocketTests() => (_twin, _clientEnd) = RawPeer.ConnectBare();

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"capabilities":{}}""")]
    [InlineData("""{"capabilities":{"twin_socket":{}}}""")]
    [InlineData("""{"capabilities":{"twin_socket":{"supported":false}}}""")]
    [InlineData("""{"capabilities":{"twin_socket":{"supported":false,"fd_index":5}}}""")]
    public void Case_1_absent_or_false_continues_without_or_refuses(string reply)
    {
        using FakeServer prefers = new(new VfioUserClientOptions { TwinSocket = TwinSocketPolicy.Prefer });
        using FakeServer requires = new(new VfioUserClientOptions { TwinSocket = TwinSocketPolicy.Require });

        prefers.AnswerVersion(reply);
        requires.AnswerVersion(reply);

        prefers.Client.HasTwinSocket.Should().BeFalse();
        requires.Invoking(it => it.Client).Should().Throw<ProtocolException>().WithMessage("*twin socket*");
        requires.Peer.ReadMessage().Should().BeNull("the client has hung up");
    }

    [Theory]
    [InlineData(TwinSocketPolicy.Prefer)]
    [InlineData(TwinSocketPolicy.Require)]
    public void Case_2_true_with_a_valid_index_is_used(TwinSocketPolicy policy)
    {
        using FakeServer server = new(new VfioUserClientOptions { TwinSocket = policy, DmaHandler = new Memory() });

        server.AnswerVersion(Enabled, _clientEnd);

        server.Client.HasTwinSocket.Should().BeTrue();
        _twin.Write(Frame.Command(5, Command.DmaRead, DmaAccess(Memory.Start, 2)));
        _twin.ReadMessage().Should().Equal(Frame.Reply(5, Command.DmaRead, [.. DmaAccess(Memory.Start, 2), 0, 0]));
    }

    [Fact]
    public void Case_2_the_index_selects_one_of_several_descriptors()
    {
        using TestFile other = new();
        using FakeServer server = new(new VfioUserClientOptions { DmaHandler = new Memory() });

        server.AnswerVersion("""{"capabilities":{"twin_socket":{"supported":true,"fd_index":2}}}""", other.Handle, other.Handle, _clientEnd);

        server.Client.HasTwinSocket.Should().BeTrue();
        other.OpenCopies.Should().Be(0, "what is not used is closed");
        _twin.Write(Frame.Command(5, Command.DmaRead, DmaAccess(Memory.Start, 0)));
        _twin.ReadHeader().MessageId.Should().Be(5);
    }

    [Theory]
    [InlineData("""{"capabilities":{"twin_socket":{"supported":true}}}""", 1)]
    [InlineData("""{"capabilities":{"twin_socket":{"supported":true,"fd_index":1}}}""", 1)]
    [InlineData("""{"capabilities":{"twin_socket":{"supported":true,"fd_index":-1}}}""", 1)]
    [InlineData("""{"capabilities":{"twin_socket":{"supported":true,"fd_index":2147483647}}}""", 1)]
    [InlineData("""{"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}}""", 0)]
    public void Case_3_anything_else_aborts(string reply, int fds)
    {
        using TestFile file = new();
        using FakeServer server = new();

        server.AnswerVersion(reply, [.. Enumerable.Repeat(file.Handle, fds)]);

        server.Invoking(it => it.Client).Should().Throw<ProtocolException>().WithMessage("*twin socket*");
        server.Peer.ReadMessage().Should().BeNull("the client has hung up");
        file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void A_twin_socket_that_was_not_offered_aborts()
    {
        using FakeServer server = new(FakeServer.NoTwin);

        server.AnswerVersion(Enabled, _clientEnd);

        server.Invoking(it => it.Client).Should().Throw<ProtocolException>();
        _clientEnd.Dispose();
        _twin.ReadMessage().Should().BeNull("no copy of it is left");
    }

    [Fact]
    public void A_descriptor_that_is_no_socket_aborts()
    {
        using TestFile file = new();
        using FakeServer server = new();

        server.AnswerVersion(Enabled, file.Handle);

        server.Invoking(it => it.Client).Should().Throw<ProtocolException>().WithMessage("*socket*");
        file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void A_socket_that_is_not_connected_aborts()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using FakeServer server = new();

        server.AnswerVersion(Enabled, listener.SafeHandle);

        server.Invoking(it => it.Client).Should().Throw<ProtocolException>().WithMessage("*socket*");
    }

    [Fact]
    public void Descriptors_beyond_the_limit_are_refused_and_closed()
    {
        using TestFile file = new();
        using FakeServer server = new();

        server.AnswerVersion(Enabled, [.. Enumerable.Repeat(file.Handle, 17)]);

        server.Invoking(it => it.Client).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
        file.OpenCopies.Should().Be(0);
    }

    [Fact]
    public void The_main_socket_continues_when_the_server_closes_the_twin()
    {
        using FakeServer server = new(new VfioUserClientOptions { DmaHandler = new Memory() });
        server.AnswerVersion(Enabled, _clientEnd);
        VfioUserClient client = server.Client;

        _twin.Dispose();
        Background<bool> reset = Background.Run(client.ResetDevice);
        server.Peer.Write(Frame.Reply(server.Peer.ReadHeader().MessageId, Command.DeviceReset));

        reset.Join();
    }

    [Fact]
    public void A_broken_message_on_the_twin_socket_ends_it_alone()
    {
        using FakeServer server = new(new VfioUserClientOptions { DmaHandler = new Memory() });
        server.AnswerVersion(Enabled, _clientEnd);
        _clientEnd.Dispose();
        VfioUserClient client = server.Client;

        _twin.Write(Frame.Header(3));
        _twin.ReadMessage().Should().BeNull();
        Background<bool> reset = Background.Run(client.ResetDevice);
        server.Peer.Write(Frame.Reply(server.Peer.ReadHeader().MessageId, Command.DeviceReset));

        reset.Join();
    }

    public void Dispose()
    {
        _twin.Dispose();
        _clientEnd.Dispose();
    }

    private static byte[] DmaAccess(ulong address, ulong count)
    {
        byte[] bytes = new byte[Protocol.DmaAccess.WireSize];
        WireFormat.Write(bytes, new DmaAccess(address, count));
        return bytes;
    }
}
