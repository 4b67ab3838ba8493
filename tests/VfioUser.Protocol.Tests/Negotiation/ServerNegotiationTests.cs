namespace VfioUser.Protocol.Tests.Negotiation;

public class ServerNegotiationTests
{
    private static readonly ProtocolVersion V00 = new(0, 0);
    private static readonly ProtocolVersion V01 = new(0, 1);

    [Fact]
    public void QEMU_gets_version_0_0_and_no_key_that_it_did_not_propose()
    {
        NegotiatedReply reply = Accepted(Payload.Parse(Payload.Qemu), version: V00);

        Payload.Text(VersionMessage.Format(reply.Version, reply.Capabilities)).Should().Be(
            """{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"max_dma_maps":""" +
            """65535,"pgsizes":4096,"write_multiple":true}}""");
        reply.Version.Should().Be(V00);
        reply.HasTwinSocket.Should().BeFalse();
    }

    [Fact]
    public void QEMU_gets_its_migration_object_back_from_a_device_that_migrates()
    {
        Capabilities own = Capabilities.ServerDefaults with { Migration = new MigrationCapability { MaxBitmapSize = 1 << 20 } };

        NegotiatedReply reply = Accepted(Payload.Parse(Payload.Qemu), own);

        reply.Capabilities.Migration.Should().Be(new MigrationCapability { PageSize = 4096, MaxBitmapSize = 1 << 20 });
    }

    [Fact]
    public void The_Rust_client_gets_a_page_size_with_migration_even_without_proposing_one()
    {
        Capabilities own = Capabilities.ServerDefaults with { Migration = new MigrationCapability() };

        NegotiatedReply reply = Accepted(new Capabilities { Migration = new MigrationCapability() }, own);

        reply.Capabilities.Migration.Should().Be(new MigrationCapability { PageSize = 4096 });
    }

    [Fact]
    public void The_smaller_migration_page_size_is_granted()
    {
        Capabilities own = Capabilities.ServerDefaults with { Migration = new MigrationCapability { PageSize = 4096 } };
        Capabilities proposed = new() { Migration = new MigrationCapability { PageSize = 65536 } };

        Accepted(proposed, own).Capabilities.Migration.Should().Be(new MigrationCapability { PageSize = 4096 });
    }

    [Fact]
    public void Both_limits_of_the_server_are_announced_even_to_a_client_without_version_data()
    {
        NegotiatedReply reply = Accepted(Capabilities.Unspecified);

        Payload.Text(VersionMessage.Format(reply.Version, reply.Capabilities)).Should().Be(
            """{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576}}""");
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(65535, 1)]
    public void The_lower_minor_version_is_spoken(ushort proposed, ushort spoken) =>
        Accepted(Capabilities.Unspecified, version: new ProtocolVersion(0, proposed)).Version
            .Should().Be(new ProtocolVersion(0, spoken));

    [Theory]
    [InlineData(1, 0)]
    [InlineData(999, 1)]
    [InlineData(65535, 65535)]
    public void Another_major_version_is_refused(ushort major, ushort minor) =>
        Refused(
            Capabilities.Unspecified, Errno.EINVAL, $"version {major}.{minor} is proposed*", version: new ProtocolVersion(major, minor));

    [Fact]
    public void Limits_of_the_server_do_not_depend_on_those_of_the_client()
    {
        Capabilities own = Capabilities.ServerDefaults with { MaxMessageFds = 8, MaxDataTransferSize = 65536 };

        Capabilities reply = Accepted(new Capabilities { MaxMessageFds = 2, MaxDataTransferSize = 4096 }, own).Capabilities;

        reply.MaxMessageFds.Should().Be(8);
        reply.MaxDataTransferSize.Should().Be(65536);
    }

    [Fact]
    public void Announced_limits_do_not_exceed_the_buffers()
    {
        Capabilities own = Capabilities.ServerDefaults with { MaxMessageFds = 253, MaxDataTransferSize = long.MaxValue };

        Capabilities reply = Accepted(Capabilities.Unspecified, own).Capabilities;

        reply.MaxMessageFds.Should().Be(ProtocolLimits.MaxMessageFds);
        reply.MaxDataTransferSize.Should().Be(ProtocolLimits.MaxDataTransferSize);
    }

    [Theory]
    [InlineData(100, 65535, 100)]
    [InlineData(100, 10, 10)]
    [InlineData(1_000_000, 65535, 65535)]
    [InlineData(0, 65535, 0)]
    public void The_smaller_number_of_maps_is_granted(long proposed, long own, long granted)
    {
        Capabilities reply = Accepted(
            new Capabilities { MaxDmaMaps = proposed }, Capabilities.ServerDefaults with { MaxDmaMaps = own }).Capabilities;

        reply.Present.Should().HaveFlag(CapabilityKeys.MaxDmaMaps);
        reply.MaxDmaMaps.Should().Be(granted);
    }

    [Fact]
    public void A_limit_below_the_default_is_announced_even_if_not_proposed()
    {
        Capabilities own = new() { MaxDmaMaps = 10 };

        Accepted(Capabilities.Unspecified, own).Capabilities.MaxDmaMaps.Should().Be(10);
        Accepted(Capabilities.Unspecified).Capabilities.Present.Should().NotHaveFlag(CapabilityKeys.MaxDmaMaps);
    }

    [Fact]
    public void Common_page_sizes_are_granted()
    {
        Capabilities own = new() { PageSizes = 0x1000 | 0x200000 };

        Accepted(new Capabilities { PageSizes = 0x1000 | 0x40000000 }, own).Capabilities.PageSizes.Should().Be(0x1000);
        Accepted(new Capabilities { PageSizes = 0x10000 }).Capabilities.PageSizes.Should().Be(0x10000);
        Accepted(Capabilities.Unspecified).Capabilities.Present.Should().NotHaveFlag(CapabilityKeys.PageSizes);
    }

    [Fact]
    public void No_common_page_size_is_refused()
    {
        Refused(new Capabilities { PageSizes = 512 }, Errno.EINVAL, "no page size in common: 0x200 proposed*");
        Refused(new Capabilities { PageSizes = 0x10000 }, Errno.EINVAL, "no page size in common*", own: new Capabilities());
    }

    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    public void Write_multiple_needs_both(bool proposed, bool own, bool granted)
    {
        Capabilities reply = Accepted(
            new Capabilities { WriteMultiple = proposed }, Capabilities.ServerDefaults with { WriteMultiple = own }).Capabilities;

        reply.WriteMultiple.Should().Be(granted);
        reply.Present.HasFlag(CapabilityKeys.WriteMultiple).Should().Be(granted);
    }

    [Fact]
    public void Migration_needs_both()
    {
        Capabilities migrating = Capabilities.ServerDefaults with { Migration = new MigrationCapability() };

        Accepted(Capabilities.Unspecified, migrating).Capabilities.Migration.Should().BeNull();
        Accepted(Payload.Parse(Payload.Rust)).Capabilities.Migration.Should().BeNull();
    }

    [Theory]
    [InlineData(TwinSocketPolicy.Prefer)]
    [InlineData(TwinSocketPolicy.Require)]
    public void A_twin_socket_that_is_offered_and_wanted_is_granted_at_index_0(TwinSocketPolicy policy)
    {
        NegotiatedReply reply = Accepted(Payload.Parse("""{"capabilities":{"twin_socket":{"supported":true}}}"""), twinSocket: policy);

        reply.HasTwinSocket.Should().BeTrue();
        Payload.Text(VersionMessage.Format(reply.Version, reply.Capabilities)).Should().Be(
            """{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"twin_socket":{"supported":true,"fd_index":0}}}""");
    }

    [Theory]
    [InlineData("{}", TwinSocketPolicy.Prefer)]
    [InlineData("""{"twin_socket":{}}""", TwinSocketPolicy.Prefer)]
    [InlineData("""{"twin_socket":{"fd_index":0}}""", TwinSocketPolicy.Prefer)]
    [InlineData("""{"twin_socket":{"supported":false}}""", TwinSocketPolicy.Prefer)]
    [InlineData("""{"max_msg_fds":0,"twin_socket":{"supported":true}}""", TwinSocketPolicy.Prefer)]
    [InlineData("""{"twin_socket":{"supported":true}}""", TwinSocketPolicy.Never)]
    public void Otherwise_the_reply_does_not_mention_one(string proposed, TwinSocketPolicy policy)
    {
        NegotiatedReply reply = Accepted(Payload.Parse($$$"""{"capabilities":{{{proposed}}}}"""), twinSocket: policy);

        reply.HasTwinSocket.Should().BeFalse();
        reply.Capabilities.Present.Should().NotHaveFlag(CapabilityKeys.TwinSocket);
    }

    [Fact]
    public void The_twin_socket_in_own_capabilities_is_ignored()
    {
        Capabilities own = Capabilities.ServerDefaults with { TwinSocket = new TwinSocketCapability(true, 3) };

        Accepted(Capabilities.Unspecified, own, twinSocket: TwinSocketPolicy.Prefer).HasTwinSocket.Should().BeFalse();
    }

    [Fact]
    public void A_client_without_the_required_twin_socket_is_refused() =>
        Refused(Payload.Parse(Payload.Qemu), Errno.EOPNOTSUPP, "*not offered", twinSocket: TwinSocketPolicy.Require);

    private static NegotiatedReply Accepted(
        Capabilities proposed,
        Capabilities? own = null,
        ProtocolVersion? version = null,
        TwinSocketPolicy twinSocket = TwinSocketPolicy.Never)
    {
        Errno errno = Negotiator.Negotiate(
            version ?? V01, proposed, own ?? Capabilities.ServerDefaults, twinSocket, out NegotiatedReply? reply, out string? problem);

        problem.Should().BeNull();
        errno.Should().Be(Errno.None);
        return reply!;
    }

    private static void Refused(
        Capabilities proposed,
        Errno expected,
        string expectedProblem,
        Capabilities? own = null,
        ProtocolVersion? version = null,
        TwinSocketPolicy twinSocket = TwinSocketPolicy.Never)
    {
        Errno errno = Negotiator.Negotiate(
            version ?? V01, proposed, own ?? Capabilities.ServerDefaults, twinSocket, out NegotiatedReply? reply, out string? problem);

        errno.Should().Be(expected);
        problem.Should().Match(expectedProblem);
        reply.Should().BeNull();
    }
}
