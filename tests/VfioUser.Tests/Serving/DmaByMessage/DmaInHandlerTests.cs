using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>
/// A handler that waits for the client's memory, while the client goes on sending. libvfio-user fails there (its issue 279).
/// Spec: "Command Concurrency".
/// </summary>
public sealed class DmaInHandlerTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_handler_reads_the_clients_memory(bool twin)
    {
        using DmaSession session = new(twin);

        session.Client.SayBytes(DmaSession.Read(1, 8, 4));
        session.Answer(session.HearRead(8, 4), 1, 2, 3, 4);

        session.ShouldHaveRead(1, 1, 2, 3, 4);
        session.Client.ShouldBeServed();
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(false, 12)] // what the specification says
    [InlineData(false, 16)] // what QEMU sends
    [InlineData(true, 16)]
    public void A_handler_writes_the_clients_memory(bool twin, int answer)
    {
        using DmaSession session = new(twin);

        ushort id = session.Client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(8, ProbeDevice.Plain, 4), 1, 2, 3, 4));
        RawReply request = session.Back.HearCommand(Command.DmaWrite);
        request.Payload.Should().Equal(RawClient.Bytes(new DmaAccess(DmaSession.Memory + 8, 4), 1, 2, 3, 4));
        session.Back.Answer(request, request.Payload.AsSpan(0, answer));

        session.Client.HearReply(id, Command.RegionWrite).ShouldBeGranted<RegionAccess>();
        session.LastWrite.Should().BeTrue();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Replies_that_are_due_leave_before_the_handler_waits(bool twin)
    {
        using DmaSession session = new(twin);

        // in one write, so that they are handled as one batch
        session.Client.SayBytes([.. DmaSession.Info(1), .. DmaSession.Info(2), .. DmaSession.Read(3, 0, 8), .. DmaSession.Info(4)]);

        session.Client.HearReply(1, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        session.Client.HearReply(2, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        session.Answer(session.HearRead(0, 8), 1, 2, 3, 4, 5, 6, 7, 8);
        session.ShouldHaveRead(3, 1, 2, 3, 4, 5, 6, 7, 8);
        session.Client.HearReply(4, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_reply_that_was_begun_is_whole_though_others_left_meanwhile(bool twin)
    {
        using DmaSession session = new(twin);
        byte[] large = new byte[0x1000];
        new Random(1).NextBytes(large);

        session.Client.SayBytes([.. DmaSession.Info(1), .. DmaSession.Read(2, 0, 0x1000), .. DmaSession.Info(3), .. DmaSession.Read(4, 4, 2)]);
        session.Client.HearReply(1, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        session.Answer(session.HearRead(0, 0x1000), large);
        session.ShouldHaveRead(2, large);
        session.Client.HearReply(3, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        session.Answer(session.HearRead(4, 2), 8, 9);

        session.ShouldHaveRead(4, 8, 9);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Commands_received_while_the_handler_waits_are_served_after_it_in_order(bool twin)
    {
        using DmaSession session = new(twin);

        session.Client.SayBytes([.. DmaSession.Read(1, 0, 4), .. DmaSession.Info(2)]);
        RawReply request = session.HearRead(0, 4);
        for (ushort id = 3; id < 200; id++)
            session.Client.SayBytes(DmaSession.Info(id));
        session.Client.SayBytes(DmaSession.Read(200, 4, 4));
        session.Answer(request, 1, 2, 3, 4);

        session.ShouldHaveRead(1, 1, 2, 3, 4);
        for (ushort id = 2; id < 200; id++)
            session.Client.HearReply(id, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        session.Answer(session.HearRead(4, 4), 5, 6, 7, 8);
        session.ShouldHaveRead(200, 5, 6, 7, 8);
    }

    [Fact]
    public void Posted_writes_of_a_guest_may_arrive_before_the_DMA_reply()
    {
        const uint Writes = 100_000;
        using DmaSession session = new(twin: false);

        session.Client.SayBytes(DmaSession.Read(1, 0, 4));
        RawReply request = session.HearRead(0, 4);
        for (uint i = 1; i <= Writes; i++)
        {
            session.Client.SayBytes(RawClient.Message(2, Command.RegionWrite,
                RawClient.Bytes(new RegionAccess(0, ProbeDevice.Shared, 4), BitConverter.GetBytes(i)), MessageFlags.NoReply));
        }
        session.Answer(request, 1, 2, 3, 4);

        session.ShouldHaveRead(1, 1, 2, 3, 4);
        session.Client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Shared, 4)).ShouldBegin<RegionAccess>(out byte[] last);
        last.Should().Equal(BitConverter.GetBytes(Writes));
    }

    [Fact]
    public void The_answer_may_stand_between_commands_in_one_write()
    {
        using DmaSession session = new(twin: false);

        session.Client.SayBytes(DmaSession.Read(1, 0, 4));
        RawReply request = session.HearRead(0, 4);
        session.Client.SayBytes([
            .. DmaSession.Info(2),
            .. RawClient.Message(request.Header.MessageId, Command.DmaRead,
                RawClient.Bytes(new DmaAccess(DmaSession.Memory, 4), 1, 2, 3, 4), MessageFlags.Reply),
            .. DmaSession.Info(3),
        ]);

        session.ShouldHaveRead(1, 1, 2, 3, 4);
        session.Client.HearReply(2, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        session.Client.HearReply(3, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Descriptors_of_commands_that_wait_stay_with_them(bool twin)
    {
        using DmaSession session = new(twin);
        using EventFd first = new(), second = new();
        const IrqSetFlags Flags = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger;

        session.Client.SayBytes(DmaSession.Read(1, 0, 4));
        RawReply request = session.HearRead(0, 4);
        ushort two = session.Client.Say(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, Flags, (uint)IrqType.MsiX, 0, 1), MessageFlags.Command, first.Handle);
        ushort three = session.Client.Say(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, Flags, (uint)IrqType.MsiX, 1, 1), MessageFlags.Command, second.Handle);
        session.Answer(request, 1, 2, 3, 4);

        session.ShouldHaveRead(1, 1, 2, 3, 4);
        session.Client.HearReply(two, Command.DeviceSetIrqs).ShouldBeGranted();
        session.Client.HearReply(three, Command.DeviceSetIrqs).ShouldBeGranted();
        session.Device.MsiX[1].Trigger().Should().BeTrue();
        first.Take().Should().Be(0);
        second.Take().Should().Be(1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_large_access_is_cut_into_what_the_client_takes(bool twin)
    {
        using DmaSession session = new(twin);
        session.Client.Dispose();
        session.Device.ShouldTell("detached");
        string proposal = twin
            ? """{"capabilities": {"max_data_xfer_size": 1000, "max_msg_fds": 1, "twin_socket": {"supported": true}}}"""
            : """{"capabilities": {"max_data_xfer_size": 1000}}""";
        using RawClient client = session.Served.Attach(proposal);
        RawClient back = client.Twin ?? client;
        client.Ask(Command.DmaMap, new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, DmaSession.Memory, 0x10000)).ShouldBeGranted();

        client.SayBytes(DmaSession.Read(1, 0, 2500));
        foreach ((ulong offset, ulong count) in ((ulong, ulong)[])[(0, 1000), (1000, 1000), (2000, 500)])
        {
            RawReply request = back.HearCommand(Command.DmaRead);
            DmaAccess access = WireFormat.Read<DmaAccess>(request.Payload);
            access.Should().Be(new DmaAccess(DmaSession.Memory + offset, count));
            back.Answer(request, RawClient.Bytes(access, [.. Enumerable.Repeat((byte)(offset / 1000 + 1), (int)count)]));
        }

        client.HearReply(1, Command.RegionRead).ShouldBegin<RegionAccess>(out byte[] data);
        data.Should().Equal(Enumerable.Range(0, 2500).Select(i => (byte)(i / 1000 + 1)));
    }
}
