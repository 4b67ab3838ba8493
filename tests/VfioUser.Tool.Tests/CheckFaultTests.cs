using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

/// <summary>Servers that break a rule, each a single one, and what is said of them.</summary>
public partial class CheckFaultTests
{
    [Fact]
    public void The_fake_server_itself_breaks_no_rule()
    {
        using FakeServer server = new();

        ToolRun run = server.Check();

        run.Out.Should().NotContain("FAIL");
        run.ExitCode.Should().Be(0);
    }

    [Fact]
    public void Commands_served_before_the_version_are_a_warning() => Warns("version-first", "the specification binds the client here", (header, payload) =>
        header.Command == Command.DeviceGetInfo ? FakeServer.Reply(header, FakeServer.Bytes(new DeviceInfo(DeviceInfo.WireSize, DeviceFlags.Pci, 9, 5))) : null);

    [Fact]
    public void A_served_read_beyond_max_data_xfer_size_is_a_warning() => Warns("read-too-much", "1048577 bytes were read; the specification binds the client here", (header, payload) =>
        header.Command == Command.RegionRead && WireFormat.Read<RegionAccess>(payload).Count > 1 << 20 ? FakeServer.Reply(header, payload) : null);

    [Fact]
    public void A_write_to_the_ids_that_is_refused_is_a_warning() => Warns("write-read-only", "refused with EINVAL; a bus drops it without an error [VFIO_USER_REGION_WRITE]", (header, payload) =>
        header.Command == Command.RegionWrite ? FakeServer.Refuse(header) : null);

    [Fact]
    public void Ids_that_can_be_written_are_a_failure()
    {
        FakeServer? server = null;
        using FakeServer writable = server = new FakeServer((header, payload) =>
        {
            if (header.Command != Command.RegionWrite)
                return null;
            payload.AsSpan(RegionAccess.WireSize).CopyTo(server!.Config);
            return FakeServer.Reply(header, payload.AsSpan(0, RegionAccess.WireSize));
        });

        Fails(writable, "write-read-only", "though the register is read-only [PCI Local Bus 3.0, 6.2.1]");
    }

    [Fact]
    public void An_error_without_an_errno_is_reported_in_words() => Breaks("dma-map", "it is refused without an errno", (header, _) =>
        header.Command == Command.DmaMap ? FakeServer.Refuse(header, errno: Errno.None) : null);

    [Fact]
    public void A_reply_of_the_wrong_command_is_reported_with_its_own_heading() => Breaks("dma-map", "expected was one for DmaMap", (header, _) =>
        header.Command == Command.DmaMap ? FakeServer.Reply(header with { Command = Command.DmaUnmap }, []) : null);

    [Fact]
    public void Refusals_shorter_than_a_success_are_a_warning() =>
        Warns("refusal-length", "RegionRead, RegionWrite, DmaUnmap, DeviceGetIrqInfo: the reply is shorter", (_, _) => null);

    [Fact]
    public void A_refusal_because_of_a_surplus_descriptor_is_a_warning() => Warns("surplus-descriptors", "RegionRead: refused", (header, _) =>
        header.Command == Command.RegionRead ? FakeServer.Refuse(header) : null);

    [Fact]
    public void Ranges_that_cannot_be_unmapped_are_a_warning() => Warns("dma-unmap-range", "it is refused with EINVAL, as the specification has unmaps match a map", (_, _) => null);

    [Fact]
    public void Maps_that_stay_when_their_range_is_unmapped_are_a_failure() => Breaks("dma-unmap-range", "it is answered, and a map at 0x2000000000 is then refused with EINVAL", (header, payload) =>
        header.Command == Command.DmaUnmap && WireFormat.Read<DmaUnmap>(payload).Size > 4096 ? FakeServer.Reply(header, payload) : null);

    [Fact]
    public void An_unmap_with_a_descriptor_that_is_refused_is_a_warning()
    {
        int unmaps = 0;

        Warns("dma-unmap-descriptor", "it is refused with EINVAL; SPDK's host", (header, _) =>
            header.Command == Command.DmaUnmap && ++unmaps == 1 ? FakeServer.Refuse(header) : null);
    }

    [Fact]
    public void Memory_that_stays_mapped_when_it_is_unmapped_is_a_failure() => Breaks("dma-remap", "where nothing is mapped, is refused with EINVAL [VFIO_USER_DMA_MAP]", (header, payload) =>
        header.Command == Command.DmaUnmap ? FakeServer.Reply(header, payload) : null);

    [Fact]
    public void An_unmap_that_cuts_a_map_and_is_accepted_is_a_failure() => Breaks("dma-unmap-cut", "DmaUnmap with the second half of a map was accepted", (header, payload) =>
        header.Command == Command.DmaUnmap ? FakeServer.Reply(header, payload) : null);

    [Fact]
    public void Memory_of_a_file_that_is_refused_is_a_warning() => Warns("dma-map-file", "it is refused with EPERM; huge pages", (header, _) =>
        header.Command == Command.DmaMap ? FakeServer.Refuse(header, errno: Errno.EPERM) : null);

    [Fact]
    public void Fewer_maps_than_max_dma_maps_are_a_failure()
    {
        int maps = 0;

        Breaks("dma-map-many", "map 1001 is refused with ENOMEM; max_dma_maps is 65535 [VFIO_USER_VERSION]", (header, _) =>
            header.Command == Command.DmaMap && ++maps > 1000 ? FakeServer.Refuse(header, errno: Errno.ENOMEM) : null);
    }

    [Fact]
    public void Fewer_maps_of_a_file_than_max_dma_maps_are_a_failure()
    {
        int maps = 0;

        Breaks("dma-map-many-file", "map 1001 is refused with EMFILE; max_dma_maps is 65535 [VFIO_USER_VERSION]", (header, _) =>
            header.Command == Command.DmaMap && ++maps > 1000 ? FakeServer.Refuse(header, errno: Errno.EMFILE) : null);
    }

    [Fact]
    public void A_reply_header_that_is_sent_in_two_pieces_is_a_warning()
    {
        using ManualResetEventSlim over = new();
        int reads = 0;
        using FakeServer server = new((header, _) =>
        {
            if (header.Command != Command.RegionRead || ++reads < 3)
                return null;
            if (reads > 3)
                over.Wait();
            return FakeServer.Reply(header, new byte[20])[..5];
        });

        ToolRun run = ToolRun.Of("check", server.Path, "--rule", "reply-header-whole", "--server-timeout", "0.2");

        over.Set();
        run.Out.Should().Contain("a header was received in two parts, 5 bytes first");
    }

    [Fact]
    public void An_unknown_major_version_that_is_agreed_on_is_a_failure() => Breaks("version-major", "32767.1 was agreed on", (header, payload) =>
        header.Command == Command.Version && payload[0] == 0xFF ? FakeServer.Reply(header, payload) : null);

    [Fact]
    public void A_capability_that_was_not_proposed_is_a_failure() => Breaks("version-subset", "write_multiple is granted", (header, _) =>
        header.Command == Command.Version ? FakeServer.Reply(header, VersionMessage.Format(new ProtocolVersion(0, 1), new Capabilities { WriteMultiple = true })) : null);

    [Fact]
    public void A_message_id_that_is_not_echoed_is_a_failure() => Breaks("reply-header", "message id 0", (header, _) =>
        header.MessageId == 0xBEEF ? FakeServer.Reply(header with { MessageId = 0 }, new byte[16]) : null);

    [Fact]
    public void A_reply_to_a_command_with_no_reply_is_a_failure() => Breaks("no-reply", "was answered", (header, _) =>
        header.NoReply ? FakeServer.Reply(header, new byte[16]) : null);

    [Fact]
    public void An_unknown_command_that_is_accepted_is_a_failure() => Breaks("unknown-command", "was accepted", (header, _) =>
        (int)header.Command > 100 ? FakeServer.Reply(header, []) : null);

    [Theory]
    [InlineData(0)]
    [InlineData(32)]
    public void A_refusal_with_the_body_of_a_success_or_none_passes(int body)
    {
        using FakeServer server = new((header, payload) =>
            header.Command == Command.DeviceGetRegionInfo && payload[8] > 9 ? FakeServer.Refuse(header, new byte[body]) : null);

        server.Check("--rule", "refusal").Out.Should().Contain("ok   refusal");
    }

    [Theory]
    [InlineData(4)]
    [InlineData(33)]
    public void A_refusal_with_another_body_is_a_failure(int body) => Breaks("refusal", $"payload of {body} bytes", (header, payload) =>
        header.Command == Command.DeviceGetRegionInfo && payload[8] > 9 ? FakeServer.Refuse(header, new byte[body]) : null);

    [Theory]
    [InlineData(16)]
    [InlineData(19)]
    [InlineData(21)]
    public void A_refused_read_with_another_body_is_a_failure(int body) => Breaks("read-behind", $"the refusal of RegionRead has a payload of {body} bytes", (header, payload) =>
        header.Command == Command.RegionRead && payload[1] == 1 ? FakeServer.Refuse(header, new byte[body]) : null);

    [Fact]
    public void A_refused_read_above_the_limit_without_data_passes()
    {
        using FakeServer server = new((header, payload) =>
            header.Command == Command.RegionRead && WireFormat.Read<RegionAccess>(payload).Count > 1 << 20 ? FakeServer.Refuse(header, new byte[RegionAccess.WireSize]) : null);

        server.Check("--rule", "read-too-much").Out.Should().Contain("ok   read-too-much");
    }

    [Fact]
    public void A_refusal_with_a_body_for_a_client_that_reads_the_header_only_is_a_warning() => Warns("refusal-bare", "RegionRead: the reply is longer than the specification has it", (header, payload) =>
        header.Command == Command.RegionRead ? FakeServer.Refuse(header, new byte[20]) : null);

    [Fact]
    public void A_read_beyond_the_region_that_is_served_is_a_failure() => Breaks("read-behind", "4 bytes at 0x100 of config", (header, payload) =>
        header.Command == Command.RegionRead && payload[1] == 1 ? FakeServer.Reply(header, [.. payload, 0, 0, 0, 0]) : null);

    [Fact]
    public void A_read_answered_for_another_offset_is_a_failure() => Breaks("read", "at 0x1 of region 7", (header, payload) =>
        header.Command == Command.RegionRead && payload[12] == 4 ? FakeServer.Reply(header, [1, .. payload.AsSpan(1), 0x34, 0x12, 0x78, 0x56]) : null);

    [Fact]
    public void An_overlapping_map_that_is_accepted_is_a_failure() => Breaks("dma-map-overlap", "it is accepted", (header, _) =>
        header.Command == Command.DmaMap ? FakeServer.Reply(header, []) : null);

    [Fact]
    public void An_interrupt_type_that_does_not_exist_is_a_failure() => Breaks("irq-index", "with index 5 was accepted", (header, payload) =>
        header.Command == Command.DeviceGetIrqInfo && payload[8] == 5 ? FakeServer.Reply(header, payload) : null);

    [Fact]
    public void Region_capabilities_in_a_loop_are_a_failure() => Breaks("region-capabilities", "lead out of the message, or are a loop", (header, payload) =>
        header.Command == Command.DeviceGetRegionInfo && payload[8] == 0
            ? FakeServer.Reply(header, [.. FakeServer.Bytes(new RegionInfo(40, RegionFlags.Caps, 0, 32, 0x1000, 0)), .. FakeServer.Bytes(new RegionCapHeader(RegionCapId.MsixMappable, 1, 32))])
            : null);

    [Fact]
    public void A_mappable_area_that_is_not_in_its_region_is_a_failure() => Breaks("region-sparse", "bar0 of 0x1000 bytes has an area 0x1000 + 0x1000", (header, payload) =>
        header.Command == Command.DeviceGetRegionInfo && payload[8] == 0
            ? FakeServer.Reply(header,
            [
                .. FakeServer.Bytes(new RegionInfo(64, RegionFlags.Caps, 0, 32, 0x1000, 0)), .. FakeServer.Bytes(new RegionCapHeader(RegionCapId.SparseMmap, 1, 0)),
                .. FakeServer.Bytes(new SparseMmap(1, 0)), .. FakeServer.Bytes(new SparseMmapArea(0x1000, 0x1000)),
            ])
            : null);

    [Fact]
    public void A_capability_list_in_a_loop_is_a_failure()
    {
        using FakeServer server = new();
        server.Config[0x06] = 0x10;
        server.Config[0x34] = 0x40;
        server.Config[0x41] = 0x40;

        Fails(server, "config-capabilities", "it loops back to 0x40");
    }

    [Fact]
    public void A_bar_register_with_another_size_than_its_region_is_a_failure()
    {
        using FakeServer server = new() { Bar0Size = 0x1000 };

        Fails(server, "bar-sizing", "bar0 has the size 0x0, its region 0x1000");
    }

    [Fact]
    public void A_server_that_does_not_reply_is_a_failure()
    {
        using FakeServer server = new((header, _) => header.Command == Command.DeviceGetRegionInfo ? [] : null);

        ToolRun run = ToolRun.Of("check", server.Path, "--server-timeout", "0.2", "--rule", "region-index");

        run.Out.Should().Contain("FAIL region-index").And.Contain("no answer to DeviceGetRegionInfo within 0.2 seconds");
        run.ExitCode.Should().Be(1);
    }

    [Fact]
    public async Task Ctrl_c_ends_the_wait_for_a_silent_server()
    {
        using FakeServer server = new((_, _) => []);
        using CancellationTokenSource stop = new();
        Task<ToolRun> run = Task.Run(() => ToolRun.Of(stop.Token, "check", server.Path, "--server-timeout", "600"));

        await stop.CancelAsync();

        (await run).ExitCode.Should().Be(130);
    }

    [Fact]
    public void A_server_that_ends_at_a_rule_fails_it_and_the_next_rules_are_not_checked()
    {
        FakeServer? server = null;
        using FakeServer dying = server = new FakeServer((header, _) =>
        {
            if (header.Command != (Command)14)
                return null;
            server!.Die();
            return [];
        });

        ToolRun run = ToolRun.Of("check", dying.Path, "--server-timeout", "0.2");

        run.Out.Should().Contain("FAIL command-14").And.Contain("after it no client is served").And.MatchRegex(@"1 failed, .* not checked since the server no longer answered");
        run.Out.Should().NotContain("wrong-direction", "it comes later");
        run.ExitCode.Should().Be(1);
    }

    private static void Breaks(string rule, string why, Fault fault)
    {
        using FakeServer server = new(fault);

        Fails(server, rule, why);
    }

    private static void Warns(string rule, string why, Fault fault)
    {
        using FakeServer server = new(fault);

        Warns(server, rule, why);
    }

    private static void Warns(FakeServer server, string rule, string why)
    {
        ToolRun run = server.Check("--rule", rule);

        run.Out.Should().Contain($"warn {rule} ").And.Contain(why).And.Contain("0 passed, 0 failed, 1 warnings");
        run.ExitCode.Should().Be(0);
    }

    private static void Fails(FakeServer server, string rule, string why)
    {
        ToolRun run = server.Check("--rule", rule);

        run.Out.Should().Contain($"FAIL {rule} ").And.Contain(why).And.Contain("0 passed, 1 failed");
        run.ExitCode.Should().Be(1);
    }
}
