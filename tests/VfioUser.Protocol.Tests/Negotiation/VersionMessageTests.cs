namespace VfioUser.Protocol.Tests.Negotiation;

public class VersionMessageTests
{
    [Fact]
    public void Proposal_of_QEMU_is_understood()
    {
        Errno errno = VersionMessage.TryParse(
            Payload.Of(Payload.Qemu, major: 0, minor: 0), out ProtocolVersion version, out Capabilities capabilities, out _);

        errno.Should().Be(Errno.None);
        version.Should().Be(new ProtocolVersion(0, 0));
        capabilities.Should().Be(new Capabilities
        {
            MaxMessageFds = 16,
            MaxDataTransferSize = 1048576,
            MaxDmaMaps = 65535,
            PageSizes = 4096,
            WriteMultiple = true,
            Migration = new MigrationCapability { PageSize = 4096, MaxBitmapSize = 268435456 },
        });
    }

    [Fact]
    public void Proposal_of_the_Rust_client_is_understood()
    {
        Capabilities capabilities = Payload.Parse(Payload.Rust);

        capabilities.Should().Be(new Capabilities
        {
            MaxMessageFds = 1,
            MaxDataTransferSize = 1048576,
            Migration = new MigrationCapability { PageSize = 4096 },
        });
    }

    [Fact]
    public void Absent_version_data_means_the_defaults()
    {
        Errno errno = VersionMessage.TryParse(
            Payload.Version(3, 7), out ProtocolVersion version, out Capabilities capabilities, out string? problem);

        errno.Should().Be(Errno.None);
        problem.Should().BeNull();
        version.Should().Be(new ProtocolVersion(3, 7));
        capabilities.Should().Be(Capabilities.Unspecified);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"capabilities":{}}""")]
    [InlineData(" \t\r\n{ \"capabilities\" : { } } \n")]
    public void Empty_objects_mean_the_defaults(string json) => Payload.Parse(json).Should().Be(Capabilities.Unspecified);

    [Theory]
    [InlineData("""{"vendor":"x","capabilities":{"max_msg_fds":8}}""")]
    [InlineData("""{"capabilities":{"max_msg_fds":8,"future":{"deep":[1,{"a":null}]},"MAX_MSG_FDS":"case matters"}}""")]
    [InlineData("""{"capabilities":{"max_msg_fds":8},"Capabilities":7,"a":-1e400,"b":123456789012345678901234567890}""")]
    [InlineData("""{"capabilities":{"max_\u006dsg_fds":8}}""")]
    public void Unknown_keys_are_ignored(string json) =>
        Payload.Parse(json).Should().Be(new Capabilities { MaxMessageFds = 8 });

    [Fact]
    public void Unknown_keys_are_ignored_in_nested_objects_too() =>
        Payload.Parse("""{"capabilities":{"twin_socket":{"supported":true,"x":[]},"migration":{"y":{},"pgsize":8192}}}""")
            .Should().Be(new Capabilities
            {
                TwinSocket = new TwinSocketCapability(true),
                Migration = new MigrationCapability { PageSize = 8192 },
            });

    [Theory]
    [InlineData("{}", false, null)]
    [InlineData("""{"supported":false}""", false, null)]
    [InlineData("""{"supported":true}""", true, null)]
    [InlineData("""{"supported":true,"fd_index":0}""", true, 0)]
    [InlineData("""{"supported":true,"fd_index":-1}""", true, -1)]
    [InlineData("""{"fd_index":3}""", false, 3)]
    public void Twin_socket_keys_are_parsed(string twin, bool supported, int? fdIndex) =>
        Payload.Parse($$$"""{"capabilities":{"twin_socket":{{{twin}}}}}""").TwinSocket
            .Should().Be(new TwinSocketCapability(supported, fdIndex));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("-0", 0)]
    [InlineData("16", 16)]
    [InlineData("253", 253)]
    [InlineData("254", 253)]
    [InlineData("9223372036854775807", 253)]
    public void Descriptor_limits_are_clamped_to_what_Linux_can_pass(string number, int expected) =>
        Payload.Parse($$$"""{"capabilities":{"max_msg_fds":{{{number}}}}}""").MaxMessageFds.Should().Be(expected);

    [Fact]
    public void Extreme_numbers_that_make_sense_are_kept() =>
        Payload.Parse(
                """{"capabilities":{"max_data_xfer_size":9223372036854775807,"max_dma_maps":0,"pgsizes":18446744073709551615}}""")
            .Should().Be(new Capabilities { MaxDataTransferSize = long.MaxValue, MaxDmaMaps = 0, PageSizes = ulong.MaxValue });

    [Fact]
    public void Nesting_up_to_the_limit_is_read()
    {
        string inner = new string('[', VersionMessage.MaxJsonDepth - 1) + new string(']', VersionMessage.MaxJsonDepth - 1);

        Payload.Parse($$$"""{"x":{{{inner}}}}""").Should().Be(Capabilities.Unspecified);
    }

    [Fact]
    public void Version_data_up_to_the_limit_is_read() =>
        Payload.Parse("{}".PadRight(ProtocolLimits.MaxVersionDataSize - 1)).Should().Be(Capabilities.Unspecified);

    [Fact]
    public void Only_present_keys_are_written()
    {
        byte[] payload = VersionMessage.Format(new ProtocolVersion(0, 1), new Capabilities { MaxMessageFds = 1 });

        payload[..4].Should().Equal(0, 0, 1, 0);
        Payload.Text(payload).Should().Be("""{"capabilities":{"max_msg_fds":1}}""");
    }

    [Fact]
    public void There_is_always_a_capabilities_object() =>
        Payload.Text(VersionMessage.Format(new ProtocolVersion(0, 0), Capabilities.Unspecified))
            .Should().Be("""{"capabilities":{}}""");

    [Fact]
    public void All_keys_are_written_as_the_specification_spells_them()
    {
        Capabilities all = new()
        {
            MaxMessageFds = 16,
            MaxDataTransferSize = 1048576,
            MaxDmaMaps = 65535,
            PageSizes = 4096,
            WriteMultiple = false,
            TwinSocket = new TwinSocketCapability(true, 0),
            Migration = new MigrationCapability { PageSize = 4096, MaxBitmapSize = 268435456 },
        };

        byte[] payload = VersionMessage.Format(new ProtocolVersion(0, 1), all);

        Payload.Text(payload).Should().Be(
            """{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"max_dma_maps":65535,"pgsizes":""" +
            """4096,"write_multiple":false,"twin_socket":{"supported":true,"fd_index":0},"migration":""" +
            """{"pgsize":4096,"max_bitmap_size":268435456}}}""");
        VersionMessage.TryParse(payload, out _, out Capabilities parsed, out _).Should().Be(Errno.None);
        parsed.Should().Be(all);
    }
}
