using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Every field of the header. Scenarios: test_request_errors.py.</summary>
public sealed class HeaderTests
{
    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    [InlineData(15u)]
    [InlineData(ProtocolLimits.MaxMessageSize + 1u)]
    [InlineData(0x8000_0000u)]
    [InlineData(uint.MaxValue)]
    public void A_size_that_no_message_has_is_refused_and_ends_the_session(uint size)
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.SayBytes(RawClient.Message(new MessageHeader(0xBAD1, Command.DeviceSetIrqs, size, MessageFlags.Command, 0)));

        client.HearReply(0xBAD1, Command.DeviceSetIrqs).ShouldBeRefused(Errno.EINVAL);
        client.ShouldHearTheEnd();
        using RawClient next = served.Attach();
        next.ShouldBeServed();
        served.Log.Has(CapturedLog.SessionBroken).Should().BeTrue();
    }

    [Fact]
    public void Commands_before_a_broken_header_are_answered_first()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.SayBytes([
            .. RawClient.Message(1, Command.DeviceReset),
            .. RawClient.Message(2, Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0)),
            .. RawClient.Message(new MessageHeader(3, Command.DeviceReset, 3, MessageFlags.Command, 0)),
        ]);

        client.HearReply(1, Command.DeviceReset).ShouldBeGranted();
        client.HearReply(2, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        client.HearReply(3, Command.DeviceReset).ShouldBeRefused(Errno.EINVAL);
        client.ShouldHearTheEnd();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(14)]
    [InlineData(19)]
    [InlineData(999)]
    [InlineData(0xFFFF)]
    [InlineData((int)Command.DmaRead)] // these two are the server's to say
    [InlineData((int)Command.DmaWrite)]
    [InlineData((int)Command.DeviceFeature)] // the device has none
    [InlineData((int)Command.MigDataRead)]
    [InlineData((int)Command.MigDataWrite)]
    public void An_unknown_command_is_refused(int command)
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.Ask((Command)command, new byte[] { 0 }).ShouldBeRefused(Errno.EINVAL);
        client.Ask((Command)command).ShouldBeRefused(Errno.EINVAL);
        client.Ask((Command)command, new byte[4000]).ShouldBeRefused(Errno.EINVAL);

        client.ShouldBeServed();
    }

    [Theory]
    [InlineData((int)Command.Version)]
    [InlineData((int)Command.DmaMap)]
    [InlineData((int)Command.DmaUnmap)]
    [InlineData((int)Command.DeviceGetInfo)]
    [InlineData((int)Command.DeviceGetRegionInfo)]
    [InlineData((int)Command.DeviceGetRegionIoFds)]
    [InlineData((int)Command.DeviceGetIrqInfo)]
    [InlineData((int)Command.DeviceSetIrqs)]
    [InlineData((int)Command.RegionRead)]
    [InlineData((int)Command.RegionWrite)]
    [InlineData((int)Command.RegionWriteMulti)]
    public void A_command_without_the_payload_that_it_needs_is_refused(int command)
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.Ask((Command)command).ShouldBeRefused(Errno.EINVAL);
        client.Ask((Command)command, new byte[7]).ShouldBeRefused(Errno.EINVAL);

        client.ShouldBeServed();
    }

    [Theory]
    [InlineData(Command.DeviceSetIrqs)]
    [InlineData(Command.RegionRead)]
    [InlineData(Command.DeviceReset)]
    [InlineData(Command.DmaRead)] // an access that timed out, say
    [InlineData(Command.DmaWrite)]
    [InlineData((Command)999)]
    public void A_reply_that_no_command_awaits_is_dropped_and_not_answered(Command command)
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.SayBytes(RawClient.Message(0x0100, command, new DmaAccess(0x1000, 8), MessageFlags.Reply));
        client.SayBytes(RawClient.Message(0x0101, command, default, MessageFlags.Reply | MessageFlags.Error));

        client.ShouldBeServed();
        served.Log.Entries.Count(entry => entry.Id == CapturedLog.ReplyDropped).Should().Be(2);
        served.Device.Diary.Should().NotContain("reset by ClientRequested");
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(3u)]
    [InlineData(8u)]
    [InlineData(15u)]
    public void A_type_that_is_neither_command_nor_reply_is_refused(uint type)
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.SayBytes(RawClient.Message(0xBAD3, Command.DeviceReset, default, (MessageFlags)type));

        client.HearReply(0xBAD3, Command.DeviceReset).ShouldBeRefused(Errno.EINVAL);
        client.ShouldBeServed();
    }

    [Theory]
    [InlineData(0x20u, 0u)] // Error, in a command
    [InlineData(0u, 5u)]
    [InlineData(0xFFFF_FFC0u, 0u)]
    public void Header_fields_without_meaning_in_a_command_are_ignored_as_in_libvfio_user(uint flags, uint error)
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.SayBytes(RawClient.Message(new MessageHeader(9, Command.DeviceReset, MessageHeader.WireSize, (MessageFlags)flags, error)));

        client.HearReply(9, Command.DeviceReset).ShouldBeGranted();
    }

    [Fact]
    public void Message_ids_are_the_clients_business()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.SayBytes([
            .. RawClient.Message(7, Command.DeviceReset),
            .. RawClient.Message(7, Command.DeviceReset),
            .. RawClient.Message(0, Command.DeviceReset),
            .. RawClient.Message(0xFFFF, Command.DeviceReset),
        ]);

        foreach (ushort id in (ushort[])[7, 7, 0, 0xFFFF])
            client.HearReply(id, Command.DeviceReset).ShouldBeGranted();
    }
}
