using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>The same messages, however they are cut. libvfio-user drops a client whose header comes in pieces.</summary>
public sealed class FramingTests
{
    private static readonly byte[] Info = RawClient.Bytes(new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));

    [Fact]
    public void Header_and_body_may_come_apart()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        byte[] message = RawClient.Message(1, Command.DeviceGetInfo, Info);

        client.SayBytes(message.AsSpan(0, MessageHeader.WireSize));
        client.SayBytes(message.AsSpan(MessageHeader.WireSize));

        client.HearReply(1, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
    }

    [Fact]
    public void A_message_may_come_byte_by_byte()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        byte[] message = RawClient.Message(1, Command.DeviceGetInfo, Info);

        for (int i = 0; i < message.Length; i++)
            client.SayBytes(message.AsSpan(i, 1));

        client.HearReply(1, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
    }

    [Fact]
    public void The_version_message_may_come_byte_by_byte()
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();
        byte[] message = RawClient.Message(1, Command.Version, Served.Version(0, 1, "{}"));

        for (int i = 0; i < message.Length; i++)
            client.SayBytes(message.AsSpan(i, 1));

        client.HearReply(1, Command.Version).ShouldBegin<ProtocolVersion>(out _);
    }

    [Fact]
    public void Many_messages_may_come_in_one_write()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        const int Count = 1000;

        client.SayBytes([.. Enumerable.Range(0, Count).SelectMany(id => RawClient.Message((ushort)id, Command.DeviceGetInfo, Info))]);

        for (int id = 0; id < Count; id++)
            client.HearReply((ushort)id, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
    }

    [Theory]
    [InlineData(1)] // in the header
    [InlineData(15)]
    [InlineData(16)] // between header and body
    [InlineData(24)] // in the body
    public void A_client_that_stops_in_the_middle_of_a_message_is_let_go(int length)
    {
        using Served served = Served.Start();
        using (RawClient client = served.Attach())
        {
            client.SayBytes(RawClient.Message(1, Command.DeviceGetInfo, Info).AsSpan(0, length));
        }

        served.Device.ShouldTell("detached");
        using RawClient next = served.Attach();
        next.ShouldBeServed();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    public void A_client_may_leave_in_the_middle_of_its_first_message(int length)
    {
        using Served served = Served.Start();
        using (RawClient client = served.Connect())
        {
            client.SayBytes(RawClient.Message(1, Command.Version, Served.Version(0, 1, "{}")).AsSpan(0, length));
        }

        using RawClient next = served.Attach();
        next.ShouldBeServed();
    }

    [Fact]
    public void A_client_may_leave_with_requests_pending()
    {
        using Served served = Served.Start();
        using ManualResetEvent reading = new(false), gone = new(false);
        served.Device.Read = (_, _) =>
        {
            reading.Set();
            gone.ShouldBeSet();
        };
        using (RawClient client = served.Attach())
        {
            client.SayBytes([.. Enumerable.Range(1, 100).SelectMany(id =>
                RawClient.Message((ushort)id, Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4)))]);
            reading.ShouldBeSet();
        }
        gone.Set();

        served.Device.ShouldTell("detached");
        served.Device.Read = null;
        using RawClient next = served.Attach();
        next.ShouldBeServed();
    }

    [Fact]
    public void A_client_that_shut_down_sending_still_gets_the_replies()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();

        ushort id = client.Say(Command.DeviceGetInfo, Info);
        client.StopTalking();

        client.HearReply(id, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        client.ShouldHearTheEnd();
    }

    [Fact]
    public void The_longest_write_and_the_longest_read_go_through()
    {
        const int Longest = ProtocolLimits.MaxDataTransferSize;
        LargeDevice device = new(2 * Longest);
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");
        Task running = server.RunAsync(device);
        byte[] data = new byte[Longest];
        new Random(1).NextBytes(data);
        using (RawClient client = RawClient.Connect(server.Address))
        {
            Served.Negotiate(client);
            RegionAccess access = new(0x1234, 0, Longest);

            client.Ask(Command.RegionWrite, RawClient.Bytes(access, data)).ShouldBeGranted<RegionAccess>().Should().Be(access);
            client.Ask(Command.RegionRead, access).ShouldBegin<RegionAccess>(out byte[] read).Should().Be(access);

            read.AsSpan().SequenceEqual(data).Should().BeTrue();
        }
        server.Dispose();
        running.ShouldEnd();
    }

    private sealed class LargeDevice : PciDevice
    {
        public LargeDevice(long size)
            : base(new PciId(0x1B36, 0x00F3), PciClass.ProcessingAccelerator) =>
            AddBar(0, BarKind.Memory32, size).ShareMemory();
    }
}
