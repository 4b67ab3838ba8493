using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

public partial class CheckFaultTests
{
    [Theory]
    [InlineData("version-bad-json")]
    [InlineData("version-no-nul")]
    [InlineData("version-short")]
    public void A_proposal_that_cannot_be_read_and_is_agreed_on_is_a_warning(string rule) => Warns(rule, "was agreed on; the specification does not cover", (header, _) =>
        header.Command == Command.Version ? Agrees(header) : null);

    [Theory]
    [InlineData("version-no-data")]
    [InlineData("version-no-capabilities")]
    [InlineData("version-unknown-capability")]
    [InlineData("version-minor-lower")]
    [InlineData("version-minor-higher")]
    public void A_proposal_that_is_in_order_and_is_refused_is_a_failure(string rule) => Breaks(rule, "refused with EINVAL", (header, _) =>
        header.Command == Command.Version ? FakeServer.Refuse(header) : null);

    [Fact]
    public void Capabilities_of_the_wrong_type_are_a_failure() => Breaks("version-values", "the reply cannot be read", (header, _) =>
        header.Command == Command.Version ? FakeServer.Reply(header, [0, 0, 1, 0, .. "{\"capabilities\":{\"max_msg_fds\":\"many\"}}\0"u8]) : null);

    [Fact]
    public void A_twin_socket_that_was_not_offered_is_a_failure() => Breaks(
        new FakeServer { Capabilities = new Capabilities { TwinSocket = new TwinSocketCapability(Supported: true, FdIndex: 0) } },
        "twin-unasked", "twin_socket.supported is true in the reply");

    [Fact]
    public void A_refused_command_with_no_reply_that_is_answered_is_a_failure() => Breaks("no-reply-refused", "DeviceGetRegionInfo with No_reply was answered", (header, _) =>
        header.NoReply ? FakeServer.Refuse(header) : null);

    [Fact]
    public void A_message_of_an_unknown_type_that_is_executed_is_a_failure() => Breaks("unknown-type", "a message of type 2 was executed", (header, payload) =>
        (int)header.Flags == 2 ? FakeServer.Reply(header, FakeServer.Bytes(new DeviceInfo(DeviceInfo.WireSize, DeviceFlags.Pci, 9, 5))) : null);

    [Fact]
    public void A_reply_to_a_reply_is_a_warning() => Warns("unasked-reply", "two peers that reply to replies never stop", (header, _) =>
        header.IsReply ? FakeServer.Refuse(header) : null);

    [Fact]
    public void A_structure_that_is_cut_off_and_served_is_a_failure() => Breaks("short-payload", "was accepted", (header, payload) =>
        header.Command is Command.Version ? null : FakeServer.Reply(header, payload));

    [Theory]
    [InlineData("read-across")]
    [InlineData("read-overflow")]
    public void A_read_that_leaves_the_region_and_is_served_is_a_failure(string rule) => Breaks(rule, "was accepted", (header, payload) =>
        header.Command == Command.RegionRead ? FakeServer.Reply(header, [.. payload, 0, 0, 0, 0]) : null);

    [Theory]
    [InlineData("write-behind")]
    [InlineData("write-across")]
    [InlineData("write-overflow")]
    [InlineData("write-short")]
    public void A_write_that_leaves_its_region_or_its_message_and_is_done_is_a_failure(string rule) => Breaks(rule, "was accepted", (header, payload) =>
        header.Command == Command.RegionWrite ? FakeServer.Reply(header, payload.AsSpan(0, RegionAccess.WireSize)) : null);

    [Fact]
    public void Replies_in_another_order_are_a_failure()
    {
        byte[] held = [];

        Breaks("pipelining", "the reply is for RegionRead with message id 1, expected was one for DeviceGetInfo with 0 [Header]", (header, _) =>
        {
            if (header is { Command: Command.DeviceGetInfo, MessageId: 0 })
            {
                held = FakeServer.Reply(header, FakeServer.Bytes(new DeviceInfo(DeviceInfo.WireSize, DeviceFlags.Pci, 9, 5)));
                return [];
            }
            return header.Command == Command.RegionRead && held.Length > 0 ? [.. FakeServer.Refuse(header), .. held] : null;
        });
    }

    private static byte[] Agrees(in MessageHeader header) => FakeServer.Reply(header, VersionMessage.Format(new ProtocolVersion(0, 1), Capabilities.Unspecified));
}
