using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>No_reply: not a word, neither for success nor for failure. Spec: Header.</summary>
public sealed class NoReplyTests
{
    public static TheoryData<Command, byte[]> Sound => new()
    {
        { Command.DmaMap, RawClient.Bytes(new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x1000, 0x1000)) },
        { Command.DmaUnmap, RawClient.Bytes(new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.All, 0, 0)) },
        { Command.DeviceGetInfo, RawClient.Bytes(new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0)) },
        { Command.DeviceGetRegionInfo, RawClient.Bytes(new RegionInfo(RegionInfo.WireSize, 0, ProbeDevice.Plain, 0, 0, 0)) },
        { Command.DeviceGetRegionInfo, RawClient.Bytes(new RegionInfo(80, 0, ProbeDevice.Sparse, 0, 0, 0)) },
        { Command.DeviceGetRegionIoFds, RawClient.Bytes(new RegionIoFds(RegionIoFds.WireSize, 0, 0, 0)) },
        { Command.DeviceGetIrqInfo, RawClient.Bytes(new IrqInfo(IrqInfo.WireSize, 0, 0, 0)) },
        { Command.DeviceSetIrqs, RawClient.Bytes(new IrqSet(IrqSet.WireSize, IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, 0, 0, 0)) },
        { Command.RegionRead, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 64)) },
        { Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), 1, 2, 3, 4) },
        { Command.RegionWriteMulti, RawClient.Bytes(new RegionWriteMulti(1), RawClient.Bytes(new RegionWriteMultiEntry(0, ProbeDevice.Plain, 4, 1))) },
        { Command.DeviceReset, [] },
    };

    [Theory]
    [MemberData(nameof(Sound))]
    public void A_valid_command_gets_no_reply(Command command, byte[] payload)
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.Say(command, payload, MessageFlags.NoReply);

        client.ShouldBeServed();
    }

    [Theory]
    [InlineData(Command.DmaMap)]
    [InlineData(Command.DmaUnmap)]
    [InlineData(Command.DeviceGetInfo)]
    [InlineData(Command.DeviceGetRegionInfo)]
    [InlineData(Command.DeviceGetRegionIoFds)]
    [InlineData(Command.DeviceGetIrqInfo)]
    [InlineData(Command.DeviceSetIrqs)]
    [InlineData(Command.RegionRead)]
    [InlineData(Command.RegionWrite)]
    [InlineData(Command.RegionWriteMulti)]
    [InlineData(Command.DeviceReset)]
    [InlineData(Command.DmaRead)]
    [InlineData((Command)999)]
    public void A_command_that_fails_is_not_answered_either(Command command)
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        using EventFd eventFd = new();

        client.Say(command, new byte[] { 1, 2, 3 }, MessageFlags.NoReply);
        client.Say(command, new byte[] { 1, 2, 3 }, MessageFlags.NoReply, eventFd.Handle);

        client.ShouldBeServed();
    }

    [Fact]
    public void A_handler_that_throws_is_not_answered_either()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        served.Device.Read = (_, _) => throw new InvalidOperationException("read");
        served.Device.Written = (_, _) => throw new InvalidOperationException("write");
        served.Device.ShouldTell("attached");
        served.Device.Happened = _ => throw new InvalidOperationException("reset");

        client.Say(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4), MessageFlags.NoReply);
        client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), 1, 2, 3, 4), MessageFlags.NoReply);
        client.Say(Command.DeviceReset, default(ReadOnlySpan<byte>), MessageFlags.NoReply);

        client.ShouldBeServed();
        served.Log.Entries.Count(entry => entry.Id == CapturedLog.DeviceThrew).Should().Be(3);
    }

    [Fact]
    public void A_broken_header_that_wants_no_reply_just_ends_the_session()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        client.SayBytes(RawClient.Message(new MessageHeader(1, Command.RegionRead, 3, MessageFlags.NoReply, 0)));

        client.ShouldHearTheEnd();
    }

    [Fact]
    public void Posted_writes_are_done_before_the_next_command()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        for (byte i = 0; i < 100; i++)
            client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(i, ProbeDevice.Plain, 1), i), MessageFlags.NoReply);

        client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 100)).ShouldBegin<RegionAccess>(out byte[] data);
        data.Should().Equal(Enumerable.Range(0, 100).Select(i => (byte)i));
    }
}
