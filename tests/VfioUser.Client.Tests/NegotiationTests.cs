using System.Text;

namespace VfioUser.Client.Tests;

public class NegotiationTests
{
    [Fact]
    public void The_client_proposes_what_its_options_say()
    {
        using FakeServer server = new(new VfioUserClientOptions { Capabilities = Capabilities.ClientDefaults with { MaxMessageFds = 3 } });

        (MessageHeader header, ProtocolVersion version, Capabilities capabilities) = server.ReadProposal();

        header.Command.Should().Be(Command.Version);
        header.Flags.Should().Be(MessageFlags.Command);
        version.Should().Be(new ProtocolVersion(0, 1));
        capabilities.MaxMessageFds.Should().Be(3);
        capabilities.TwinSocket.Should().Be(new TwinSocketCapability(Supported: true));
    }

    [Fact]
    public void Limits_of_the_server_are_kept()
    {
        using FakeServer server = new();

        server.AnswerVersion(new ProtocolVersion(0, 0), """{"capabilities":{"max_msg_fds":2,"max_data_xfer_size":4096}}"""u8.ToArray().Append((byte)0).ToArray());

        server.Client.Version.Should().Be(new ProtocolVersion(0, 0));
        server.Client.Limits.MaxFdsToSend.Should().Be(2);
        server.Client.Limits.MaxTransferToSend.Should().Be(4096);
        server.Client.ServerCapabilities.MaxMessageFds.Should().Be(2);
        server.Client.HasTwinSocket.Should().BeFalse();
    }

    [Fact]
    public void A_reply_without_version_data_is_enough()
    {
        using FakeServer server = new();

        server.AnswerVersion(new ProtocolVersion(0, 1), []);

        server.Client.Limits.MaxFdsToSend.Should().Be(1);
    }

    [Fact]
    public void A_refusal_carries_command_and_errno()
    {
        using FakeServer server = new();

        server.Peer.Write(Frame.Error(server.ReadProposal().Header.MessageId, Command.Version, Errno.EOPNOTSUPP));

        VfioUserException refusal = server.Invoking(it => it.Client).Should().Throw<VfioUserException>().WithMessage("*Version*EOPNOTSUPP*").Which;
        refusal.Command.Should().Be(Command.Version);
        refusal.Errno.Should().Be(Errno.EOPNOTSUPP);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\x01")]
    [InlineData("\0\0\x01\0{")]
    [InlineData("\0\0\x01\0{}")]
    [InlineData("\0\0\x01\0nonsense\0")]
    [InlineData("\0\0\x01\0{\"capabilities\":7}\0")]
    [InlineData("\0\0\x01\0{\"capabilities\":{\"max_msg_fds\":-1}}\0")]
    public void A_reply_that_is_no_version_message_cannot_be_lived_with(string payload)
    {
        using FakeServer server = new();

        server.AnswerVersion(Encoding.Latin1.GetBytes(payload));

        server.Invoking(it => it.Client).Should().Throw<ProtocolException>().WithMessage("*version*EINVAL*");
        server.Peer.ReadMessage().Should().BeNull("the client has hung up");
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(65535, 65535)]
    public void A_version_that_was_not_proposed_cannot_be_lived_with(ushort major, ushort minor)
    {
        using FakeServer server = new();

        server.AnswerVersion(new ProtocolVersion(major, minor), []);

        server.Invoking(it => it.Client).Should().Throw<ProtocolException>().WithMessage($"*{major}.{minor}*");
        server.Peer.ReadMessage().Should().BeNull("the client has hung up");
    }

    [Fact]
    public void A_silent_server_times_out()
    {
        using FakeServer server = new(new VfioUserClientOptions { Timeout = TimeSpan.FromMilliseconds(20) });

        server.Invoking(it => it.Client).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ETIMEDOUT);
    }

    [Fact]
    public void A_server_that_disconnects_fails_negotiation()
    {
        using FakeServer server = new();

        server.ReadProposal();
        server.Peer.Dispose();

        server.Invoking(it => it.Client).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);
    }

    [Fact]
    public void A_server_that_does_not_speak_the_protocol_is_left()
    {
        using FakeServer server = new();

        server.Peer.Write("HTTP/1.1 400 Bad Request\r\n"u8);

        server.Invoking(it => it.Client).Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);
    }

    [Fact]
    public void A_command_received_before_the_version_reply_is_answered_after_it()
    {
        using FakeServer server = new(FakeServer.NoTwin with { DmaHandler = new Memory() });

        server.Peer.Write(Frame.Command(77, Command.DmaRead, new byte[16]));
        server.AnswerVersion("{}");

        server.Peer.ReadMessage().Should().Equal(Frame.Reply(77, Command.DmaRead, new byte[16]));
    }

    [Theory]
    [InlineData("/tmp/there is no such folder/socket")]
    [InlineData("@there is no such name")]
    public void A_refused_connection_has_the_path_in_its_message(string path) =>
        FluentActions.Invoking(() => VfioUserClient.Connect(path)).Should().Throw<IOException>().WithMessage($"*'{path}'*");

    [Fact]
    public void A_file_that_is_no_socket_is_not_connected_to()
    {
        string path = Path.GetTempFileName();
        try
        {
            FluentActions.Invoking(() => VfioUserClient.Connect(path)).Should().Throw<IOException>().WithMessage($"*'{path}'*");
        }
        finally
        {
            File.Delete(path);
        }
    }
}
