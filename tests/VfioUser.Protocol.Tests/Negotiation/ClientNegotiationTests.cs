namespace VfioUser.Protocol.Tests.Negotiation;

public class ClientNegotiationTests
{
    private const string Granted = """{"capabilities":{"twin_socket":{"supported":true,"fd_index":0}}}""";

    [Theory]
    [InlineData(TwinSocketPolicy.Never, "")]
    [InlineData(TwinSocketPolicy.Prefer, ""","twin_socket":{"supported":true}""")]
    [InlineData(TwinSocketPolicy.Require, ""","twin_socket":{"supported":true}""")]
    public void The_proposal_offers_a_twin_socket_by_default(TwinSocketPolicy policy, string twin)
    {
        Capabilities proposal = Negotiator.Propose(Capabilities.ClientDefaults, policy);

        byte[] payload = VersionMessage.Format(Negotiator.Version, proposal);

        payload[..4].Should().Equal(0, 0, 1, 0);
        Payload.Text(payload).Should().Be(
            """{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"max_dma_maps":65535,"pgsizes":4096,"write_multiple":true""" +
            twin + "}}");
    }

    [Fact]
    public void The_proposal_stays_within_what_the_buffers_hold()
    {
        Capabilities own = new() { MaxMessageFds = 200, MaxDataTransferSize = 1 << 30 };

        Capabilities proposal = Negotiator.Propose(own, TwinSocketPolicy.Never);

        proposal.Should().Be(new Capabilities { MaxMessageFds = 16, MaxDataTransferSize = 1 << 20 });
    }

    [Theory]
    [InlineData(0, 1, Errno.None)]
    [InlineData(0, 0, Errno.None)]
    [InlineData(0, 2, Errno.EPROTO)]
    [InlineData(1, 0, Errno.EPROTO)]
    public void A_version_above_the_proposed_one_is_refused(ushort major, ushort minor, Errno expected)
    {
        ProtocolVersion reply = new(major, minor);

        Errno errno = Negotiator.CheckReply(
            Negotiator.Version, reply, Capabilities.Unspecified, 0, TwinSocketPolicy.Never, out _, out string? problem);

        errno.Should().Be(expected);
        (problem is null).Should().Be(expected == Errno.None);
    }

    [Theory]
    [InlineData(TwinSocketPolicy.Prefer)]
    [InlineData(TwinSocketPolicy.Require)]
    public void A_granted_twin_socket_is_used(TwinSocketPolicy policy)
    {
        Check(Granted, 1, policy, out TwinSocketOutcome outcome).Should().Be(Errno.None);

        outcome.FdIndex.Should().Be(0);
    }

    [Fact]
    public void A_client_without_a_twin_socket_continues_or_fails_as_configured()
    {
        Check("{}", 0, TwinSocketPolicy.Never, out _).Should().Be(Errno.None);
        Check("{}", 0, TwinSocketPolicy.Prefer, out _).Should().Be(Errno.None);
        Check("{}", 0, TwinSocketPolicy.Require, out _).Should().Be(Errno.EOPNOTSUPP);
    }

    [Theory]
    [InlineData(TwinSocketPolicy.Never)]
    [InlineData(TwinSocketPolicy.Prefer)]
    [InlineData(TwinSocketPolicy.Require)]
    public void An_inconsistent_twin_socket_reply_ends_the_connection(TwinSocketPolicy policy)
    {
        Check(Granted, 0, policy, out TwinSocketOutcome outcome).Should().Be(Errno.EPROTO);

        outcome.Should().Be(TwinSocketOutcome.Inconsistent);
    }

    [Fact]
    public void A_twin_socket_that_was_not_requested_ends_the_connection()
    {
        Check(Granted, 1, TwinSocketPolicy.Never, out TwinSocketOutcome outcome).Should().Be(Errno.EPROTO);

        outcome.Should().Be(TwinSocketOutcome.Inconsistent);
    }

    [Theory]
    [InlineData(TwinSocketPolicy.Prefer)]
    [InlineData(TwinSocketPolicy.Never)]
    public void Our_client_is_content_with_our_server(TwinSocketPolicy policy)
    {
        Capabilities proposal = Negotiator.Propose(Capabilities.ClientDefaults, policy);
        Negotiator.Negotiate(
            Negotiator.Version, proposal, Capabilities.ServerDefaults, TwinSocketPolicy.Prefer, out NegotiatedReply? reply, out _);

        int fdCount = reply!.HasTwinSocket ? 1 : 0;
        Errno errno = Negotiator.CheckReply(
            Negotiator.Version, reply.Version, reply.Capabilities, fdCount, policy, out TwinSocketOutcome outcome, out _);

        errno.Should().Be(Errno.None);
        outcome.IsEnabled.Should().Be(policy == TwinSocketPolicy.Prefer);
        SessionLimits.Between(proposal, reply.Capabilities).Should().Be(new SessionLimits
        {
            MaxFdsToSend = 16,
            MaxFdsToReceive = 16,
            MaxTransferToSend = 1 << 20,
            MaxTransferToReceive = 1 << 20,
            MaxDmaMaps = 65535,
            WriteMultiple = true,
        });
    }

    private static Errno Check(string json, int fdCount, TwinSocketPolicy policy, out TwinSocketOutcome outcome)
    {
        Errno errno = Negotiator.CheckReply(
            Negotiator.Version, Negotiator.Version, Payload.Parse(json), fdCount, policy, out outcome, out string? problem);

        (problem is null).Should().Be(errno == Errno.None);
        return errno;
    }
}
