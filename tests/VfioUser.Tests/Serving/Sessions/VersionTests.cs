using System.Text;
using System.Text.Json;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>The first message. Scenarios: test_negotiate.py. What JSON may be is tested with the negotiator.</summary>
public sealed class VersionTests
{
    [Theory]
    [InlineData(Command.DeviceGetInfo)]
    [InlineData(Command.DmaMap)]
    [InlineData(Command.DeviceReset)]
    [InlineData((Command)999)]
    public void No_command_is_served_before_negotiation(Command command)
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();

        client.Ask(command, new byte[32]).ShouldBeRefusedAlone(Errno.EINVAL);

        client.ShouldHearTheEnd();
        using RawClient next = served.Attach();
        next.ShouldBeServed();
        served.Device.Diary.Take().Should().Be("attached"); // by the second one alone
    }

    [Fact]
    public void A_second_negotiation_in_a_session_is_refused()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.Ask(Command.Version, Served.Version(0, 1, "{}")).ShouldBeRefused(Errno.EINVAL);

        client.ShouldBeServed();
    }

    public static TheoryData<byte[]> Refused => new()
    {
        Array.Empty<byte>(),
        new byte[] { 0, 0, 1 }, // a version is four bytes
        Served.Version(999, 1, "{}"),
        Served.Version(1, 0, "{}"),
        Served.Version(0, 1, "{"),
        Served.Version(0, 1, "\""),
        Served.Version(0, 1, "null"),
        Served.Version(0, 1, """{"capabilities": "23"}"""),
        Served.Version(0, 1, """{"capabilities": {"max_msg_fds": "foo"}}"""),
        Served.Version(0, 1, """{"capabilities": {"max_msg_fds": -1}}"""),
        Served.Version(0, 1, """{"capabilities": {"max_msg_fds": 1e99}}"""),
        Served.Version(0, 1, """{"capabilities": {"migration": "23"}}"""),
        Served.Version(0, 1, """{"capabilities": {"migration": {"pgsize": "foo"}}}"""),
        Served.Version(0, 1, """{"capabilities": {"migration": {"pgsize": 4095}}}"""),
        Served.Version(0, 1, """{"capabilities": {"pgsizes": 0}}"""),
        Served.Version(0, 1, """{"capabilities": {"twin_socket": true}}"""),
        RawClient.Bytes(new ProtocolVersion(0, 1), "{}"u8), // no NUL
        RawClient.Bytes(new ProtocolVersion(0, 1), "{}\0\0"u8),
        RawClient.Bytes(new ProtocolVersion(0, 1), "{}\0{}\0"u8),
        RawClient.Bytes(new ProtocolVersion(0, 1), [0xFF, 0xFE, 0]),
        RawClient.Bytes(new ProtocolVersion(0, 1), new byte[ProtocolLimits.MaxDataTransferSize]),
        Served.Version(0, 1, string.Concat(Enumerable.Repeat("[", 10_000))),
    };

    [Theory]
    [MemberData(nameof(Refused), DisableDiscoveryEnumeration = true)]
    public void A_proposal_that_cannot_be_used_is_refused_and_ends_the_session(byte[] payload)
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();

        client.Ask(Command.Version, payload).ShouldBeRefused(Errno.EINVAL);

        client.ShouldHearTheEnd();
        served.Log.Has(CapturedLog.NegotiationFailed).Should().BeTrue();
        using RawClient next = served.Attach();
        next.ShouldBeServed();
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(15u)]
    [InlineData(ProtocolLimits.MaxMessageSize + 1u)]
    public void A_first_message_of_a_size_that_no_message_has_is_refused(uint size)
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();

        client.SayBytes(RawClient.Message(new MessageHeader(1, Command.Version, size, MessageFlags.Command, 0)));

        client.HearReply(1, Command.Version).ShouldBeRefusedAlone(Errno.EINVAL);
        client.ShouldHearTheEnd();
    }

    [Fact]
    public void Descriptors_with_a_proposal_are_closed_and_the_client_is_served()
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();
        using EventFd eventFd = new();

        client.Ask(Command.Version, Served.Version(0, 1, "{}"), eventFd.Handle).ShouldBegin<ProtocolVersion>(out _);

        client.ShouldBeServed();
    }

    [Fact]
    public void A_refusal_has_the_reason_and_is_no_version_to_a_client_that_ignores_the_error_bit()
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();

        RawReply reply = client.Ask(Command.Version, Served.Version(9, 0, "{}"));

        reply.ShouldBeRefused(Errno.EINVAL);
        Encoding.UTF8.GetString(reply.Payload.AsSpan(4)).Should().Contain("9");
        client.ShouldHearTheEnd();
    }

    [Fact]
    public void A_second_proposal_is_refused_and_the_session_continues()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.Ask(Command.Version, Served.Version(0, 1, "{}")).ShouldBeRefused(Errno.EINVAL);

        client.ShouldBeServed();
    }

    [Fact]
    public void A_reply_is_no_proposal()
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();

        ushort id = client.Say(Command.Version, Served.Version(0, 1, "{}"), MessageFlags.Reply);

        client.HearReply(id, Command.Version).ShouldBeRefused(Errno.EINVAL);
        client.ShouldHearTheEnd();
    }

    [Fact]
    public void A_proposal_without_capabilities_gets_the_servers()
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();

        RawReply reply = client.Ask(Command.Version, new ProtocolVersion(0, 1));

        reply.ShouldBegin<ProtocolVersion>(out byte[] text).Should().Be(new ProtocolVersion(0, 1));
        reply.Fds.Should().BeNull();
        text[^1].Should().Be(0);
        JsonElement capabilities = JsonDocument.Parse(text.AsMemory(0, text.Length - 1)).RootElement.GetProperty("capabilities");
        capabilities.GetProperty("max_msg_fds").GetInt32().Should().Be(16);
        capabilities.GetProperty("max_data_xfer_size").GetInt32().Should().Be(1 << 20);
        capabilities.TryGetProperty("twin_socket", out _).Should().BeFalse();
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(7, 1)]
    public void The_minor_version_is_the_lower_one(ushort proposed, ushort agreed)
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();

        client.Ask(Command.Version, Served.Version(0, proposed, "{}"))
            .ShouldBegin<ProtocolVersion>(out _).Should().Be(new ProtocolVersion(0, agreed));
    }

    [Fact]
    public void A_proposal_that_wants_no_reply_gets_none_and_is_served()
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();

        client.Say(Command.Version, Served.Version(0, 1, "{}"), MessageFlags.NoReply);

        client.ShouldBeServed();
    }

    [Fact]
    public void A_client_without_the_required_twin_socket_is_refused()
    {
        using Served served = Served.Start(new VfioUserServerOptions { TwinSocket = TwinSocketPolicy.Require });
        using RawClient client = served.Connect();

        client.Ask(Command.Version, Served.Version(0, 1, "{}")).ShouldBeRefused(Errno.EOPNOTSUPP);

        client.ShouldHearTheEnd();
        using RawClient next = served.Attach(Served.TwinProposal);
        next.Twin.Should().NotBeNull();
        next.ShouldBeServed();
    }

    [Fact]
    public void Commands_may_follow_the_proposal_without_waiting_for_the_reply()
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();

        client.SayBytes([.. RawClient.Message(1, Command.Version, Served.Version(0, 1, "{}")), .. RawClient.Message(2, Command.DeviceReset)]);

        client.HearReply(1, Command.Version).ShouldBegin<ProtocolVersion>(out _);
        client.HearReply(2, Command.DeviceReset).ShouldBeGranted();
    }
}
